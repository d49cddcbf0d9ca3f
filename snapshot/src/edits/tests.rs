//! Values of header fields: what they are put together of, and what is refused.

use super::{ValueSource, ValueTemplate, Variable};
use crate::PathMatch;

struct Request;

impl ValueSource for Request {
    fn variable(&self, variable: Variable, out: &mut String) {
        out.push_str(match variable {
            Variable::RequestId => "id-1",
            Variable::RequestMethod => "GET",
            Variable::RequestHost => "api.example.com",
            Variable::RequestPath => "/users/7/a/b",
            Variable::ClientAddress => "192.0.2.1",
        });
    }
}

fn path() -> PathMatch {
    PathMatch::Pattern("/users/{id}/*".parse().unwrap())
}

#[test]
fn values_are_put_together() {
    for (written, expected) in [
        ("finance", "finance"),
        (" finance ", "finance"),
        ("", ""),
        ("{id}", "7"),
        ("user-{id}; rest={*}", "user-7; rest=a/b"),
        ("{{\"id\": {id}}}", "{\"id\": 7}"),
        ("100%", "100%"),
        ("%{{request.id}}", "%{request.id}"),
        ("%{request.id}/%{request.method}", "id-1/GET"),
        ("%{request.host}%{request.path}", "api.example.com/users/7/a/b"),
        ("for=%{client.address}", "for=192.0.2.1"),
    ] {
        let template = ValueTemplate::parse(written, &path()).unwrap();
        let asked = "/users/7/a/b";
        let captures = path().captures(asked);
        let value = template.value(asked, captures.as_ref(), &Request);
        assert_eq!(value, expected, "{written}");
        let text = serde_json::to_string(&template).unwrap();
        assert_eq!(serde_json::from_str::<ValueTemplate>(&text).unwrap(), template);
    }
}

#[test]
fn what_is_no_value_is_told() {
    for (written, part) in [
        ("{id", "a capture is a name between braces: write {id}, or {{ and }} for braces"),
        ("{}", "a capture is a name between braces"),
        ("id}", "a capture is a name between braces"),
        ("%{", "a capture is a name between braces"),
        ("{name}", "uses {name}, which the path \"/users/{id}/*\" does not capture"),
        ("%{request.ip}", "uses %{request.ip}, which is not known: write one of %{request.id},"),
        ("a\nb", "is no value of a header"),
        ("주가", "is no value of a header"),
    ] {
        let error = ValueTemplate::parse(written, &path()).expect_err(written).to_string();
        assert!(error.contains(part), "{written}: {error}");
    }
}
