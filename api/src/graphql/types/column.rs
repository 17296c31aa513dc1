use std::borrow::Cow;

use async_graphql::{
    ContextSelectionSet, InputType, OutputType, Positioned, ServerResult, Value, parser::types::Field,
    registry::Registry,
};

/// A list of scalars that becomes a value at once. A `Vec` is resolved item by item, each a task with a path of its own, which
/// costs more than everything else about a series.
pub struct Column<T>(Vec<T>);

impl<T> FromIterator<T> for Column<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().collect())
    }
}

impl<T: OutputType + InputType> OutputType for Column<T> {
    fn type_name() -> Cow<'static, str> {
        <Vec<T> as OutputType>::type_name()
    }

    fn qualified_type_name() -> String {
        <Vec<T> as OutputType>::qualified_type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <Vec<T> as OutputType>::create_type_info(registry)
    }

    async fn resolve(&self, _: &ContextSelectionSet<'_>, _: &Positioned<Field>) -> ServerResult<Value> {
        Ok(Value::List(self.0.iter().map(InputType::to_value).collect()))
    }
}
