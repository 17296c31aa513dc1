//! Refuses hostile documents while that is cheap: by their text before they are parsed, by their shape before they are
//! validated. The cost of what a document asks for is the schema's business.

use std::collections::HashMap;

use async_graphql::{
    Name, Pos, Positioned, ServerError, Value, Variables,
    parser::types::{ExecutableDocument, FragmentDefinition, OperationDefinition, Selection, SelectionSet},
};

use super::errors::{BAD_USER_INPUT, COST_LIMIT_EXCEEDED, PARSE_FAILED, VALIDATION_FAILED, coded};

/// The parser copies strings and looks at every byte of a comment. Data belongs into variables.
const MAX_BYTES: usize = 256 << 10;
const MAX_TOKENS: usize = 10_000;
/// Braces, brackets and parentheses within each other. The parser descends into each.
const MAX_NESTING: usize = 64;
const MAX_FRAGMENTS: usize = 100;
/// Selections once every fragment stands where it is spread.
const MAX_SELECTIONS: u64 = 10_000;
/// Levels of selections, where a fragment counts as one.
const MAX_LEVELS: u64 = 30;
/// Levels of fields. Introspection is apart: the standard query of tools nests deeper.
const MAX_DEPTH: u64 = 12;
/// Lists of fields, types and values within each other in an introspection: each multiplies the answer by the schema.
const MAX_INTROSPECTION_LISTS: u64 = 3;
const MAX_DIRECTIVES: u64 = 50;
const MAX_ALIASES: u64 = 50;
const MAX_ROOT_FIELDS: u64 = 20;

/// Checks the text of a document in one pass.
pub fn check_text(text: &str) -> Result<(), ServerError> {
    if text.len() > MAX_BYTES {
        let message = format!("A document may have at most {} KiB: send data in variables", MAX_BYTES >> 10);
        return Err(coded(PARSE_FAILED, message));
    }
    if text.contains(r"\u0000") {
        return Err(holds_nul("A string of the document"));
    }
    let (mut tokens, mut nesting) = (0, 0_usize);
    let mut rest = text.as_bytes();
    while let Some(&byte) = rest.first() {
        let length = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                rest = &rest[1..];
                continue;
            }
            b'#' => {
                let line = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                rest = &rest[line.unwrap_or(rest.len())..];
                continue;
            }
            b'{' | b'[' | b'(' => {
                nesting += 1;
                1
            }
            b'}' | b']' | b')' => {
                nesting = nesting.saturating_sub(1);
                1
            }
            b'"' => string_length(rest)
                .ok_or_else(|| coded(PARSE_FAILED, "Syntax error: a string does not end"))?,
            byte if is_word(byte) => rest.iter().take_while(|byte| is_word(**byte)).count(),
            _ => 1,
        };
        tokens += 1;
        if tokens > MAX_TOKENS {
            return Err(coded(PARSE_FAILED, format!("A document may have at most {MAX_TOKENS} tokens")));
        }
        if nesting > MAX_NESTING {
            return Err(coded(PARSE_FAILED, format!("A document may be nested at most {MAX_NESTING} deep")));
        }
        rest = &rest[length..];
    }
    Ok(())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Bytes of the string or block string that `text` starts with; none when it does not end. (The parser may then read
/// the rest otherwise, so what stands there must not go uncounted.)
fn string_length(text: &[u8]) -> Option<usize> {
    let (quotes, escape): (&[u8], &[u8]) =
        if text.starts_with(br#"""""#) { (br#"""""#, br#"\""""#) } else { (b"\"", b"\\") };
    let mut at = quotes.len();
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with(escape) {
            // A block string escapes its closing quotes alone, a string any one character.
            at += escape.len() + usize::from(quotes.len() == 1);
        } else if rest.starts_with(quotes) {
            return Some(at + quotes.len());
        } else if quotes.len() == 1 && matches!(rest[0], b'\n' | b'\r') {
            return None;
        } else {
            at += 1;
        }
    }
    None
}

/// What the shape of a document tells about it.
#[derive(Debug, Default)]
pub struct Shape {
    pub asks_for_schema: bool,
    /// Where arguments stand that hold a variable.
    pub variable_arguments: Vec<Pos>,
}

/// Checks the shape of a parsed document.
pub fn check_shape(document: &ExecutableDocument) -> Result<Shape, ServerError> {
    if document.fragments.len() > MAX_FRAGMENTS {
        return Err(coded(
            COST_LIMIT_EXCEEDED,
            format!("A document may define at most {MAX_FRAGMENTS} fragments"),
        ));
    }
    let mut measure =
        Measure { fragments: &document.fragments, known: HashMap::new(), shape: Shape::default() };
    for (_, operation) in document.operations.iter() {
        let size = measure.selection_set(&operation.node.selection_set.node)?;
        for (value, limit, what) in [
            (size.selections, MAX_SELECTIONS, "selections"),
            (size.levels, MAX_LEVELS, "levels"),
            (size.aliases, MAX_ALIASES, "aliases"),
            (size.root_fields, MAX_ROOT_FIELDS, "root fields"),
            (size.depth, MAX_DEPTH, "levels of fields"),
            (
                size.introspection_lists,
                MAX_INTROSPECTION_LISTS,
                "lists within each other in an introspection",
            ),
            (size.directives + operation.node.directives.len() as u64, MAX_DIRECTIVES, "directives"),
        ] {
            if value > limit {
                return Err(coded(
                    COST_LIMIT_EXCEEDED,
                    format!(
                        "An operation may have at most {limit} {what}, fragments counted wherever they are spread"
                    ),
                ));
            }
        }
    }
    Ok(measure.shape)
}

#[derive(Clone, Copy, Default)]
struct Size {
    selections: u64,
    levels: u64,
    aliases: u64,
    /// Fields of the outermost level.
    root_fields: u64,
    /// Levels of fields that are not introspection.
    depth: u64,
    introspection_lists: u64,
    directives: u64,
}

struct Measure<'a> {
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    /// Fragments measured once, however often they are spread; none while one is being measured.
    known: HashMap<&'a str, Option<Size>>,
    shape: Shape,
}

impl<'a> Measure<'a> {
    fn selection_set(&mut self, set: &'a SelectionSet) -> Result<Size, ServerError> {
        let mut size = Size::default();
        for selection in &set.items {
            let (mut inner, is_field) = match &selection.node {
                Selection::Field(field) => {
                    let field = &field.node;
                    size.aliases += u64::from(field.alias.is_some());
                    self.shape.asks_for_schema |= matches!(field.name.node.as_str(), "__schema" | "__type");
                    let with_variable =
                        field.arguments.iter().filter(|(_, value)| value.node.clone().into_const().is_none());
                    self.shape.variable_arguments.extend(with_variable.map(|(name, _)| name.pos));
                    (self.selection_set(&field.selection_set.node)?, true)
                }
                Selection::InlineFragment(fragment) => {
                    (self.selection_set(&fragment.node.selection_set.node)?, false)
                }
                Selection::FragmentSpread(spread) => (self.fragment(&spread.node.fragment_name)?, false),
            };
            size.selections = size.selections.saturating_add(1).saturating_add(inner.selections);
            size.aliases = size.aliases.saturating_add(inner.aliases);
            size.levels = size.levels.max(inner.levels.saturating_add(1));
            size.root_fields = size.root_fields.saturating_add(if is_field { 1 } else { inner.root_fields });
            let directives = selection.node.directives().len() as u64;
            size.directives = size.directives.saturating_add(directives).saturating_add(inner.directives);
            if let Selection::Field(field) = &selection.node {
                match field.node.name.node.as_str() {
                    "__schema" | "__type" => inner.depth = 0,
                    "fields" | "interfaces" | "possibleTypes" | "inputFields" => {
                        inner.introspection_lists += 1;
                        inner.depth += 1;
                    }
                    _ => inner.depth += 1,
                }
            }
            size.depth = size.depth.max(inner.depth);
            size.introspection_lists = size.introspection_lists.max(inner.introspection_lists);
        }
        Ok(size)
    }

    fn fragment(&mut self, name: &'a Positioned<Name>) -> Result<Size, ServerError> {
        match self.known.get(name.node.as_str()) {
            Some(Some(size)) => return Ok(*size),
            Some(None) => {
                let message = format!("The fragment \"{}\" spreads itself", name.node);
                let mut error = coded(VALIDATION_FAILED, message);
                error.locations.push(name.pos);
                return Err(error);
            }
            None => {}
        }
        // Validation reports a spread of nothing.
        let Some(fragment) = self.fragments.get(&name.node) else { return Ok(Size::default()) };
        self.known.insert(name.node.as_str(), None);
        let size = self.selection_set(&fragment.node.selection_set.node)?;
        self.known.insert(name.node.as_str(), Some(size));
        Ok(size)
    }
}

/// The operation that a request selects; none when its name fits none, or it needs one and has none.
pub fn selected<'a>(
    document: &'a ExecutableDocument,
    operation_name: Option<&str>,
) -> Option<&'a OperationDefinition> {
    let mut operations = document.operations.iter();
    match operation_name {
        None if operations.len() == 1 => operations.next(),
        None => None,
        Some(wanted) => operations.find(|(name, _)| name.is_some_and(|name| name == wanted)),
    }
    .map(|(_, operation)| &operation.node)
}

/// PostgreSQL stores no U+0000, in text or JSON: it is refused here, once for every argument there is.
fn holds_nul(what: &str) -> ServerError {
    coded(BAD_USER_INPUT, format!("{what} holds the character U+0000, which nothing here may contain"))
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::List(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Every variable that must have a value has one (<https://spec.graphql.org/October2021/#CoerceVariableValues()>), and
/// none holds what cannot be stored.
pub fn check_variables(operation: &OperationDefinition, variables: &Variables) -> Result<(), ServerError> {
    if let Some((name, _)) = variables.iter().find(|(_, value)| has_nul(value)) {
        return Err(holds_nul(&format!("The variable \"${name}\"")));
    }
    for definition in &operation.variable_definitions {
        let name = &definition.node.name.node;
        let wanted = &definition.node.var_type.node;
        let missing = match variables.get(name) {
            None => definition.node.default_value.is_none(),
            Some(value) => *value == Value::Null,
        };
        if missing && !wanted.nullable {
            let message = format!("The variable \"${name}\" of type \"{wanted}\" needs a value");
            let mut error = coded(BAD_USER_INPUT, message);
            error.locations.push(definition.pos);
            return Err(error);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;
    use crate::http::errors::code;

    #[test]
    fn text_is_bounded_before_it_is_parsed() {
        assert!(
            check_text(
                r##"# { { {
            query($x: [Int!] = [1, 2]) { a(s: "\"{{{", t: """ {{ \""" {{ """) { b } }"##
            )
            .is_ok()
        );
        let opens = "{a".repeat(MAX_NESTING);
        assert!(check_text(&opens).is_ok());
        for text in [
            format!("{opens}{{"),
            "a ".repeat(MAX_TOKENS + 1),
            "(".repeat(MAX_BYTES),
            "\"\" ".repeat(20_000),
            format!("{{a}}#{}", "x".repeat(MAX_BYTES)),
        ] {
            assert_eq!(code(&check_text(&text).unwrap_err()), Some(PARSE_FAILED));
        }
        for text in ["", "#", "é{", "\"é\"", "\"\"", "\"\"\"\"\"\""] {
            assert!(check_text(text).is_ok(), "{text}");
        }
        for text in ["\"", "\"\\", "\"a\n\"", "\"\"\"", "\"\"\"\\\"\"\"", "\"\"\"\"", "\"é\\é"] {
            assert_eq!(code(&check_text(text).unwrap_err()), Some(PARSE_FAILED), "{text}");
        }
    }

    fn shape(text: &str) -> Result<Shape, ServerError> {
        check_shape(&parse_query(text).unwrap())
    }

    #[test]
    fn a_shape_counts_fragments_wherever_they_are_spread() {
        assert!(shape("query A { a } query B { ...F } fragment F on Query { b { c } }").is_ok());
        let aliases = |count: usize| {
            format!("{{ a {{ {} }} }}", (0..count).map(|i| format!("x{i}: b ")).collect::<String>())
        };
        assert!(shape(&aliases(50)).is_ok());
        assert_eq!(code(&shape(&aliases(51)).unwrap_err()), Some(COST_LIMIT_EXCEEDED));
        let roots =
            |count: usize| format!("{{ {} ...F }} fragment F on Query {{ b c }}", "a ".repeat(count - 2));
        assert!(shape(&roots(20)).is_ok());
        assert_eq!(code(&shape(&roots(21)).unwrap_err()), Some(COST_LIMIT_EXCEEDED));
    }

    #[test]
    fn depth_counts_fields_and_leaves_introspection_apart() {
        let deep = |levels: usize| format!("{}{}", "{ a ".repeat(levels), "}".repeat(levels));
        assert!(shape(&deep(12)).is_ok());
        assert_eq!(code(&shape(&deep(13)).unwrap_err()), Some(COST_LIMIT_EXCEEDED));
        let by_fragment = "{ ...F } fragment F on Q { a { ...G } } fragment G on Q { b }";
        assert!(shape(by_fragment).is_ok());
        let of_type = "{ ofType ".repeat(12);
        assert!(shape(&format!("{{ __schema {{ types {of_type}{}}}}}", "}".repeat(12))).is_ok());
        let bomb = |fields: usize| {
            format!(
                "{{ __schema {{ types {}{{ name }}{}}}}}",
                "{ fields { type ".repeat(fields),
                "}}".repeat(fields)
            )
        };
        assert!(shape(&bomb(3)).is_ok());
        assert_eq!(code(&shape(&bomb(4)).unwrap_err()), Some(COST_LIMIT_EXCEEDED));
        let directives = |count: usize| format!("{{ a {}}}", "@skip(if: false) ".repeat(count));
        assert!(shape(&directives(50)).is_ok());
        assert_eq!(code(&shape(&directives(51)).unwrap_err()), Some(COST_LIMIT_EXCEEDED));
    }

    #[test]
    fn a_fragment_bomb_costs_no_more_than_its_text() {
        let mut bomb = "{ a { ...F0 } } ".to_owned();
        for i in 0..60 {
            bomb += &format!("fragment F{i} on A {{ ...F{0} ...F{0} }} ", i + 1);
        }
        bomb += "fragment F60 on A { b }";
        assert_eq!(code(&shape(&bomb).unwrap_err()), Some(COST_LIMIT_EXCEEDED));
        let cycle = "{ ...A } fragment A on Q { ...B } fragment B on Q { c { ...A } }";
        assert_eq!(code(&shape(cycle).unwrap_err()), Some(VALIDATION_FAILED));
    }

    #[test]
    fn a_shape_tells_of_the_schema_and_of_variables() {
        assert!(!shape("{ a { __typename } }").unwrap().asks_for_schema);
        assert!(
            shape("{ ...F } fragment F on Query { __type(name: \"A\") { name } }").unwrap().asks_for_schema
        );
        let shape = shape("query($x: Int) { a(x: $x, y: 1, z: {l: [$x]}) }").unwrap();
        assert_eq!(shape.variable_arguments.iter().map(|pos| pos.column).collect::<Vec<_>>(), [20, 33]);
    }

    #[test]
    fn a_required_variable_needs_a_value() {
        let document = parse_query("query($a: Int!, $b: Int, $c: Int! = 3) { x }").unwrap();
        let operation = selected(&document, None).unwrap();
        let check = |json| check_variables(operation, &Variables::from_json(json));
        assert!(check(serde_json::json!({"a": 1})).is_ok());
        assert!(check(serde_json::json!({"a": 1, "b": null})).is_ok());
        assert_eq!(code(&check(serde_json::json!({"b": 1})).unwrap_err()), Some(BAD_USER_INPUT));
        assert!(check(serde_json::json!({"a": null})).is_err());
        assert!(check(serde_json::json!({"a": 1, "c": null})).is_err());
    }

    #[test]
    fn the_nul_character_is_refused_wherever_it_hides() {
        let document = parse_query("query($a: JSON) { x }").unwrap();
        let operation = selected(&document, None).unwrap();
        let check = |json| check_variables(operation, &Variables::from_json(json));
        assert!(check(serde_json::json!({"a": [{"b": "c"}]})).is_ok());
        for bad in [serde_json::json!({"a": "\0"}), serde_json::json!({"a": [{"b\0": 1}]})] {
            assert_eq!(code(&check(bad).unwrap_err()), Some(BAD_USER_INPUT));
        }
        assert_eq!(code(&check_text(r#"{ a(b: "\u0000") }"#).unwrap_err()), Some(BAD_USER_INPUT));
    }
}
