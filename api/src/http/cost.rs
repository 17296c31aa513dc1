//! What an operation costs at worst, known from its document and variables before anything is executed.
//!
//! The unit is a node: an object in the response. Connections multiply what is selected below them by the length of the
//! page that was asked for. Weights and page lengths are read from the schema's own text (`@cost`, `@listSize`).

use std::{collections::HashMap, convert::Infallible};

use async_graphql::{
    Name, Positioned, Value, Variables,
    parser::{
        self, parse_schema,
        types::{
            BaseType, ConstDirective, ExecutableDocument, Field, FieldDefinition, FragmentDefinition,
            OperationDefinition, OperationType, Selection, SelectionSet, Type, TypeKind,
            TypeSystemDefinition,
        },
    },
};

/// No list is longer, so a larger number in an argument is a mistake for the field to name.
const LONGEST_LIST: u64 = 1_000;

/// The schema as far as costs go.
#[derive(Clone, Debug, Default)]
pub struct Costs {
    types: HashMap<String, HashMap<String, FieldCost>>,
}

#[derive(Clone, Debug)]
struct FieldCost {
    /// The type of the objects it gives; none for a leaf.
    objects: Option<String>,
    weight: u64,
    list: Option<List>,
}

/// `@listSize` of a field.
#[derive(Clone, Debug)]
struct List {
    assumed: u64,
    slicing_arguments: Vec<String>,
    /// The fields below that are the list; when there are none, the field itself is.
    sized_fields: Vec<String>,
}

impl Costs {
    /// Reads the text of a schema.
    ///
    /// # Errors
    /// When the text is none.
    pub fn read(sdl: &str) -> Result<Self, parser::Error> {
        let document = parse_schema(sdl)?;
        let mut definitions = HashMap::new();
        for definition in &document.definitions {
            let TypeSystemDefinition::Type(definition) = definition else { continue };
            let fields = match &definition.node.kind {
                TypeKind::Object(object) => Some(&object.fields),
                TypeKind::Interface(interface) => Some(&interface.fields),
                TypeKind::Union(_) => None,
                _ => continue,
            };
            definitions.insert(definition.node.name.node.as_str(), fields);
        }
        let types = definitions.iter().map(|(name, fields)| {
            let costs = fields.iter().copied().flatten().map(|field| {
                let field = &field.node;
                let objects = named(&field.ty.node).filter(|name| definitions.contains_key(name));
                (field.name.node.to_string(), FieldCost::read(field, objects))
            });
            ((*name).to_owned(), costs.collect())
        });
        Ok(Self { types: types.collect() })
    }

    /// Nodes that an operation of this document can give at worst. The shape of the document was checked before: its
    /// fragments do not spread themselves.
    pub fn nodes(
        &self,
        document: &ExecutableDocument,
        operation: &OperationDefinition,
        variables: &Variables,
    ) -> u64 {
        let root = match operation.ty {
            OperationType::Query => "Query",
            OperationType::Mutation => "Mutation",
            OperationType::Subscription => "Subscription",
        };
        let mut count = Count { costs: self, document, operation, variables, known: HashMap::new() };
        count.selection_set(root, &operation.selection_set.node, None)
    }
}

/// The name within lists and non-null.
fn named(ty: &Type) -> Option<&str> {
    let mut base = &ty.base;
    loop {
        match base {
            BaseType::Named(name) => return Some(name.as_str()),
            BaseType::List(inner) => base = &inner.base,
        }
    }
}

impl FieldCost {
    fn read(field: &FieldDefinition, objects: Option<&str>) -> Self {
        let directive = |name: &str| field.directives.iter().find(|used| used.node.name.node == name);
        let weight = directive("cost").and_then(|cost| match argument(&cost.node, "weight")? {
            Value::String(weight) => weight.parse().ok(),
            _ => None,
        });
        let list = directive("listSize").map(|list| List {
            assumed: match argument(&list.node, "assumedSize") {
                Some(Value::Number(size)) => size.as_u64().unwrap_or(1),
                _ => 1,
            },
            slicing_arguments: strings(argument(&list.node, "slicingArguments")),
            sized_fields: strings(argument(&list.node, "sizedFields")),
        });
        // What only holds a page together is no node of it, and to know what it costs costs nothing.
        let frame = objects.is_some_and(|name| {
            name.ends_with("Connection")
                || name.ends_with("Edge")
                || name == "PageInfo"
                || name == "RateLimit"
        });
        let weight = weight.unwrap_or(u64::from(objects.is_some() && !frame));
        Self { objects: objects.map(str::to_owned), weight, list }
    }
}

fn argument<'a>(directive: &'a ConstDirective, name: &str) -> Option<&'a Value> {
    directive.arguments.iter().find(|(argument, _)| argument.node == name).map(|(_, value)| &value.node)
}

fn strings(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::List(items)) => items
            .iter()
            .filter_map(|item| match item {
                Value::String(text) => Some(text.clone()),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// Lengths that the connection above has set for some of the fields of a selection set.
#[derive(Clone, Copy)]
struct Sized<'a> {
    fields: &'a [String],
    length: u64,
}

struct Count<'a> {
    costs: &'a Costs,
    document: &'a ExecutableDocument,
    operation: &'a OperationDefinition,
    variables: &'a Variables,
    /// Fragments counted once for each length they stand under, however often they are spread.
    known: HashMap<(&'a str, Option<u64>), u64>,
}

impl<'a> Count<'a> {
    /// Nodes that the selections give for one object of the type.
    fn selection_set(&mut self, type_name: &str, set: &'a SelectionSet, sized: Option<Sized<'_>>) -> u64 {
        set.items.iter().fold(0, |sum: u64, selection| {
            let nodes = match &selection.node {
                Selection::Field(field) => self.field(type_name, &field.node, sized),
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let of = condition.map_or(type_name, |condition| condition.node.on.node.as_str());
                    self.selection_set(of, &fragment.node.selection_set.node, sized)
                }
                Selection::FragmentSpread(spread) => self.fragment(&spread.node.fragment_name, sized),
            };
            sum.saturating_add(nodes)
        })
    }

    fn fragment(&mut self, name: &'a Positioned<Name>, sized: Option<Sized<'_>>) -> u64 {
        let key = (name.node.as_str(), sized.map(|sized| sized.length));
        if let Some(nodes) = self.known.get(&key) {
            return *nodes;
        }
        let Some(fragment) = self.document.fragments.get(&name.node) else { return 0 };
        let FragmentDefinition { type_condition, selection_set, .. } = &fragment.node;
        let nodes = self.selection_set(type_condition.node.on.node.as_str(), &selection_set.node, sized);
        self.known.insert(key, nodes);
        nodes
    }

    fn field(&mut self, type_name: &str, field: &'a Field, sized: Option<Sized<'_>>) -> u64 {
        let costs = self.costs;
        // Validation reports what the schema does not have.
        let Some(cost) = costs.types.get(type_name).and_then(|fields| fields.get(field.name.node.as_str()))
        else {
            return 0;
        };
        let mut times = match sized {
            Some(sized) if sized.fields.iter().any(|name| *name == field.name.node.as_str()) => sized.length,
            _ => 1,
        };
        let mut below = None;
        if let Some(list) = &cost.list {
            let asked = list.slicing_arguments.iter().filter_map(|name| self.length(field, name)).max();
            let length = asked.unwrap_or(list.assumed).min(LONGEST_LIST);
            if list.sized_fields.is_empty() {
                times = times.saturating_mul(length);
            } else {
                below = Some(Sized { fields: &list.sized_fields, length });
            }
        }
        let inner = match &cost.objects {
            Some(objects) => self.selection_set(objects, &field.selection_set.node, below),
            None => 0,
        };
        times.saturating_mul(cost.weight.saturating_add(inner))
    }

    /// What an argument says about a length: a number, or how many items it lists.
    fn length(&self, field: &Field, argument: &str) -> Option<u64> {
        let given = field.get_argument(argument)?.node.clone();
        let value = given.into_const_with(|name| {
            let default = || {
                let definitions = &self.operation.variable_definitions;
                let definition = definitions.iter().find(|definition| definition.node.name.node == name)?;
                definition.node.default_value.as_ref().map(|value| &value.node)
            };
            Ok::<_, Infallible>(self.variables.get(&name).or_else(default).cloned().unwrap_or_default())
        });
        length(&value.unwrap_or_default())
    }
}

fn length(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64(),
        Value::List(items) => Some(items.len() as u64),
        // One value where a list belongs is a list of one.
        Value::Null => None,
        _ => Some(1),
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;

    use super::*;

    fn nodes_with(text: &str, variables: serde_json::Value) -> u64 {
        let costs = Costs::read(&crate::graphql::sdl()).unwrap();
        let document = parse_query(text).unwrap();
        let operation = document.operations.iter().next().unwrap().1.node.clone();
        costs.nodes(&document, &operation, &Variables::from_json(variables))
    }

    fn nodes(text: &str) -> u64 {
        nodes_with(text, serde_json::json!({}))
    }

    #[test]
    fn connections_multiply_and_leaves_are_free() {
        assert_eq!(nodes("{ __typename }"), 0);
        assert_eq!(nodes("{ design(id: 1) { id name } }"), 1);
        assert_eq!(nodes("{ designs(first: 5) { nodes { id } pageInfo { hasNextPage } totalCount } }"), 5);
        assert_eq!(nodes("{ designs { nodes { id } } }"), 20);
        assert_eq!(nodes("{ designs(last: 7) { edges { cursor node { id } } } }"), 7);
        // 1 design, 10 runs of it, and for each run its metrics at their weight.
        let nested =
            "{ design(id: 1) { runs(first: 10) { nodes { id metrics(names: [\"a\"]) { values } } } } }";
        assert_eq!(nodes(nested), 1 + 10 * (1 + 10));
        let deep = "{ designs(first: 100) { nodes { runs(first: 100) { nodes { events(first: 100) { nodes { sequence } } } } } } }";
        assert_eq!(nodes(deep), 100 * (1 + 100 * (1 + 100)));
    }

    #[test]
    fn lengths_come_from_variables_and_their_defaults_too() {
        let query = "query($n: Int = 30, $ids: [ID!]!) { designs(first: $n) { nodes { id } } nodes(ids: $ids) { id } }";
        assert_eq!(nodes_with(query, serde_json::json!({"ids": ["a", "b"]})), 32);
        assert_eq!(nodes_with(query, serde_json::json!({"n": 3, "ids": "a"})), 4);
        assert_eq!(nodes_with(query, serde_json::json!({"n": null, "ids": []})), 20);
        assert_eq!(nodes("{ nodes(ids: [1, 2, 3]) { id } }"), 3);
        assert_eq!(nodes("{ designs(first: 2000000000) { nodes { id } } }"), LONGEST_LIST);
    }

    #[test]
    fn fragments_count_wherever_they_are_spread() {
        let query = "{ a: designs(first: 2) { ...F } b: designs(first: 3) { ...F ...F ... on DesignConnection { nodes { id } } } }
            fragment F on DesignConnection { nodes { owner { id } } }";
        assert_eq!(nodes(query), 2 * 2 + 2 * (3 * 2) + 3);
        assert_eq!(nodes("{ node(id: 1) { ... on Design { versions(first: 4) { nodes { id } } } } }"), 5);
    }

    #[test]
    fn weights_are_those_of_fields_that_exist() {
        let sdl = crate::graphql::sdl();
        for use_of in [
            "metrics",
            "@cost(weight: \"10\")",
            "@listSize(assumedSize: 20, slicingArguments: [\"first\", \"last\"]",
        ] {
            assert!(sdl.contains(use_of), "{use_of}");
        }
    }
}
