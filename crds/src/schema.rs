//! Schemas of single strings and numbers, each with the message that a user sees at `kubectl apply`.
//!
//! They are CEL rules rather than patterns, because a rule carries a sentence that says what to
//! write instead, and a failed pattern only prints the pattern. Every string has a maximal length:
//! the API server computes the worst cost of a rule from it.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray,
};
use schemars::{Schema, SchemaGenerator, json_schema};

use crate::names;

/// A list of `item`s, at most `max` of them.
fn list(item: &Schema, max: u32) -> Schema {
    json_schema!({ "type": "array", "items": item, "maxItems": max })
}

pub(crate) fn hosts(_: &mut SchemaGenerator) -> Schema {
    list(
        &json_schema!({
            "type": "string", "minLength": 1, "maxLength": 253,
            "x-kubernetes-validations": [
                {
                    "rule": r"!self.matches('[\\s/@:]')",
                    "message": "a host is a name without scheme, port, path or blanks: write api.example.com or *.example.com"
                },
                {
                    "rule": r"!self.contains('*') || self == '*' || (self.startsWith('*.') && self.indexOf('*', 1) < 0 && self.size() > 2)",
                    "message": "a * stands only as the whole first label: write *.example.com"
                }
            ]
        }),
        64,
    )
}

pub(crate) fn listeners(_: &mut SchemaGenerator) -> Schema {
    list(
        &json_schema!({
            "type": "string", "minLength": 1, "maxLength": 63,
            "x-kubernetes-validations": [{
                "rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
                "message": "a listener is named with lower case letters, digits and -: write the name of one of the operator's listeners, for example http"
            }]
        }),
        16,
    )
}

pub(crate) fn rule_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 63,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "message": names::RULE_NAME
        }]
    })
}

pub(crate) fn path(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 1024,
        "x-kubernetes-validations": [
            {
                "rule": "self.startsWith('/')",
                "message": "a path begins with /: write /e/fin/*"
            },
            {
                "rule": "!self.contains('*') || (self.indexOf('*') == self.size() - 1 && self.endsWith('/*'))",
                "message": "a * stands only at the end of a path, after /: write /e/*; to match one segment in the middle, write {name}"
            },
            {
                "rule": r"!self.matches('[?#\\s\\\\]')",
                "message": "a path holds no query, fragment, blank or backslash: write the path alone, blanks as %20"
            }
        ]
    })
}

pub(crate) fn methods(generator: &mut SchemaGenerator) -> Schema {
    list(&method(generator), 16)
}

pub(crate) fn method(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[A-Z][A-Z0-9_-]*$')",
            "message": "a method is one word in capital letters: write GET"
        }]
    })
}

pub(crate) fn request_path(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 2048,
        "x-kubernetes-validations": [{
            "rule": r"self.startsWith('/') && !self.matches('[#\\s]')",
            "message": names::TEST_PATH
        }]
    })
}

pub(crate) fn word(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 63,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[A-Za-z0-9._-]+$')",
            "message": names::WORD
        }]
    })
}

pub(crate) fn date(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "maxLength": 40,
        "x-kubernetes-validations": [{
            "rule": r"self.matches('^[0-9]{4}-[0-9]{2}-[0-9]{2}(T.+)?$')",
            "message": names::DATE
        }]
    })
}

pub(crate) fn header_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 128,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[A-Za-z0-9!#$%&*+.^_`|~-]+$')",
            "message": names::HEADER_NAME
        }]
    })
}

pub(crate) fn rewrite_path(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 1024,
        "x-kubernetes-validations": [
            {
                "rule": "self.startsWith('/')",
                "message": "a path begins with /: write /fin/*"
            },
            {
                "rule": "!self.contains('*') || (self.indexOf('*') == self.size() - 1 && self.endsWith('/*'))",
                "message": "a * stands only at the end of a path, after /: write /fin/*"
            }
        ]
    })
}

pub(crate) fn one_host(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "x-kubernetes-validations": [{
            "rule": r"!self.matches('[\\s/@:*]')",
            "message": names::ONE_HOST
        }]
    })
}

pub(crate) fn scheme(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["http", "https"] })
}

pub(crate) fn redirect_status(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int32", "enum": [301, 302, 303, 307, 308] })
}

pub(crate) fn header_map(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object", "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 4096 }
    })
}

pub(crate) fn header_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "maxItems": 16, "x-kubernetes-list-type": "set",
        "items": { "type": "string", "minLength": 1, "maxLength": 128 }
    })
}

pub(crate) fn percent(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "number", "default": crate::DEFAULT_PERCENT,
        "x-kubernetes-validations": [{
            "rule": "self == 0.0 || (self >= 0.0001 && self <= 100.0)",
            "message": names::PERCENT
        }]
    })
}

pub(crate) fn bytes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int64", "minimum": 0 })
}

/// More than a hundred years are no time.
pub(crate) fn seconds(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "format": "int64", "minimum": 0, "maximum": crate::MOST_SECONDS })
}

pub(crate) fn mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["Enforce", "Observe"] })
}

pub(crate) fn class(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 63, "default": crate::DEFAULT_CLASS,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "message": names::CLASS
        }]
    })
}

pub(crate) fn service_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 63,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "message": names::SERVICE
        }]
    })
}

pub(crate) fn secret_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
            "message": names::SECRET
        }]
    })
}

pub(crate) fn namespace(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 63,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "message": names::NAMESPACE
        }]
    })
}

pub(crate) fn backend_host(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "x-kubernetes-validations": [{
            "rule": r"!self.matches('[\\s/@*]')",
            "message": "the host of a backend is a name or an address without scheme, port, path or blanks: write api.example.com and put the port into port"
        }]
    })
}

pub(crate) fn port(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-int-or-string": true,
        "anyOf": [{ "type": "integer" }, { "type": "string" }],
        "maxLength": 15,
        "x-kubernetes-validations": [{
            "rule": "type(self) == int ? self >= 1 && self <= 65535 : self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')",
            "message": "a port is a number from 1 to 65535 or the name of a port of the Service: write 8000 or http"
        }]
    })
}

pub(crate) fn discovery(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 16,
        "x-kubernetes-validations": [{
            "rule": "self == 'dns' || self == 'endpoints'",
            "message": names::DISCOVERY
        }]
    })
}

pub(crate) fn protocol(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 16,
        "x-kubernetes-validations": [{
            "rule": "self == 'http' || self == 'https' || self == 'h2c' || self == 'grpc'",
            "message": names::PROTOCOL
        }]
    })
}

pub(crate) fn server_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "x-kubernetes-validations": [{
            "rule": r"!self.matches('[\\s/@*]')",
            "message": names::SERVER_NAME
        }]
    })
}

pub(crate) fn config_map_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$')",
            "message": names::CONFIG_MAP
        }]
    })
}

pub(crate) fn weight(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "integer", "format": "int32",
        "minimum": 0, "maximum": crate::MAX_WEIGHT, "default": crate::DEFAULT_WEIGHT
    })
}

pub(crate) fn duration(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "string", "minLength": 1, "maxLength": 32,
        "x-kubernetes-validations": [{
            "rule": "self.matches('^([0-9]{1,5}(h|m|s|ms)){1,4}$')",
            "message": "a duration is a number and a unit of h, m, s or ms: write 15s, 500ms or 1m30s, and 0s for no limit"
        }]
    })
}

/// Joins the lines of every description: `kubectl explain` breaks them to the width of the
/// terminal itself, and would keep the breaks of our source between.
pub(crate) fn join_lines(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        let paragraphs = description.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
        *description = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
    for property in schema.properties.iter_mut().flat_map(std::collections::BTreeMap::values_mut) {
        join_lines(property);
    }
    match &mut schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => join_lines(item),
        Some(JSONSchemaPropsOrArray::Schemas(items)) => items.iter_mut().for_each(join_lines),
        None => {}
    }
}
