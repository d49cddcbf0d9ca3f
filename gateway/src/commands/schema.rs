//! `fairway schema`: the JSON Schema of ServiceRoutes, for editors.

#[cfg(test)]
mod tests;

use fairway_controller::files::json_schema;

use crate::output;

pub(crate) fn main() -> anyhow::Result<u8> {
    output::json(&json_schema())?;
    Ok(0)
}
