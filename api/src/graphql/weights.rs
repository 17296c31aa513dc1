//! What the schema says about itself beyond its types, in one place for every field there is or will be: the directives
//! `@cost` and `@listSize`, in the shape of IBM's specification, and where scalars are specified.
//!
//! `http::cost` charges what stands in the schema's text, so clients can compute what a document will cost.

use std::borrow::Cow;

use async_graphql::{
    ContextDirective, CustomDirective, CustomDirectiveFactory, ServerError, ServerResult, Value,
    indexmap::IndexMap,
    parser::types::Directive,
    registry::{
        __DirectiveLocation, MetaDirective, MetaDirectiveInvocation, MetaField, MetaInputValue, MetaType,
        Registry,
    },
    value,
};

use super::pagination::DEFAULT_PAGE;

/// Fields that cost more than the objects they give: type, field, weight.
const WEIGHTS: &[(&str, &str, &str)] = &[("SimulationRun", "metrics", "10")];

/// What the scalars of libraries are here, and where their format is laid down.
const SCALARS: &[(&str, &str, &str)] = &[
    ("DateTime", "RFC 3339 instant, always UTC.", "https://scalars.graphql.org/andimarek/date-time.html"),
    ("JSON", "Arbitrary JSON, passed through unparsed.", "https://www.rfc-editor.org/rfc/rfc8259"),
    ("URL", "WHATWG URL.", "https://url.spec.whatwg.org/"),
    (
        "UUID",
        "RFC 9562 UUID; the key shared with other interfaces of this server.",
        "https://www.rfc-editor.org/rfc/rfc9562",
    ),
];

/// `@cost`, with every use of it.
pub struct Cost;

impl CustomDirectiveFactory for Cost {
    fn name(&self) -> Cow<'static, str> {
        "cost".into()
    }

    fn register(&self, registry: &mut Registry) {
        registry.add_directive(definition(
            "cost",
            "What the field costs each time it is selected, in nodes. A field that gives objects costs 1 for each of them unless it says otherwise.",
            &[("weight", "String!", None)],
        ));
        for (type_name, field, weight) in WEIGHTS {
            let field =
                registry.types.get_mut(*type_name).and_then(|found| fields_mut(found)?.get_mut(*field));
            if let Some(field) = field {
                use_directive(field, "cost", [("weight", Value::from(*weight))]);
            }
        }
        for (name, meaning, url) in SCALARS {
            let scalar = registry.types.get_mut(*name);
            if let Some(MetaType::Scalar { specified_by_url, description, .. }) = scalar {
                *specified_by_url = Some((*url).to_owned());
                *description = Some((*meaning).to_owned());
            }
        }
    }

    fn create(
        &self,
        _: &ContextDirective<'_>,
        directive: &Directive,
    ) -> ServerResult<Box<dyn CustomDirective>> {
        Err(not_executable(directive))
    }
}

/// `@listSize`, on every list whose length an argument decides.
pub struct ListSize;

impl CustomDirectiveFactory for ListSize {
    fn name(&self) -> Cow<'static, str> {
        "listSize".into()
    }

    fn register(&self, registry: &mut Registry) {
        registry.add_directive(definition(
            "listSize",
            "Which arguments say how long a list is, and the length when none of them is given. Costs below the list, or below its sizedFields, count that often.",
            &[
                ("assumedSize", "Int", None),
                ("slicingArguments", "[String!]", None),
                ("sizedFields", "[String!]", None),
                ("requireOneSlicingArgument", "Boolean", Some("false")),
            ],
        ));
        let fields =
            registry.types.values_mut().filter_map(fields_mut).flat_map(|fields| fields.values_mut());
        for field in fields {
            if field.ty.trim_end_matches('!').ends_with("Connection") {
                let arguments = [
                    ("assumedSize", Value::from(DEFAULT_PAGE)),
                    ("slicingArguments", value!(["first", "last"])),
                    ("sizedFields", value!(["edges", "nodes"])),
                ];
                use_directive(field, "listSize", arguments);
            } else if field.ty.starts_with('[') && field.args.contains_key("ids") {
                use_directive(field, "listSize", [("slicingArguments", value!(["ids"]))]);
            }
        }
    }

    fn create(
        &self,
        _: &ContextDirective<'_>,
        directive: &Directive,
    ) -> ServerResult<Box<dyn CustomDirective>> {
        Err(not_executable(directive))
    }
}

/// Validation knows that these directives have no place in a document, so this says it a second time at most.
fn not_executable(directive: &Directive) -> ServerError {
    ServerError::new(format!("The directive \"@{}\" is the schema's alone", directive.name.node), None)
}

fn definition(name: &str, description: &str, arguments: &[(&str, &str, Option<&str>)]) -> MetaDirective {
    MetaDirective {
        name: name.into(),
        description: Some(description.into()),
        locations: vec![__DirectiveLocation::FIELD_DEFINITION],
        args: arguments
            .iter()
            .map(|(name, ty, default)| {
                let mut argument = MetaInputValue::new(*name, *ty);
                argument.default_value = default.map(str::to_owned);
                ((*name).to_owned(), argument)
            })
            .collect(),
        is_repeatable: false,
        visible: None,
        composable: None,
    }
}

fn fields_mut(found: &mut MetaType) -> Option<&mut IndexMap<String, MetaField>> {
    match found {
        MetaType::Object { fields, .. } | MetaType::Interface { fields, .. } => Some(fields),
        _ => None,
    }
}

fn use_directive<const N: usize>(field: &mut MetaField, name: &str, arguments: [(&str, Value); N]) {
    field.directive_invocations.push(MetaDirectiveInvocation {
        name: name.into(),
        args: arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    });
}
