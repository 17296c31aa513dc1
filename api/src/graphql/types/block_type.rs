use async_graphql::{Enum, SimpleObject};
use engine::catalog;
use serde_json::Value as Json;

/// One row of the block catalogue. parameterSchema is JSON Schema 2020-12 with units, ranges, defaults and a doc per parameter.
#[derive(SimpleObject)]
pub struct BlockType {
    /// The word that names it on a canvas.
    r#type: String,
    title: String,
    description: String,
    category: BlockCategory,
    inputs: Vec<PortType>,
    outputs: Vec<PortType>,
    parameter_schema: Json,
    /// Types of the events it may emit.
    events: Vec<String>,
    /// Real systems whose behaviour it can take on.
    personas: Vec<String>,
    /// What the model computes, with formulas and sources.
    modelled: Vec<String>,
    /// How the model compares with measurements of real systems; 0 cases where nothing was measured.
    fidelity: Option<Fidelity>,
}

/// How the model compares with measurements of real systems, and what it leaves out.
#[derive(SimpleObject)]
pub struct Fidelity {
    /// Measured cases whose figures this block decides.
    cases: i32,
    /// Cases with every scored quantity within its tolerance.
    passed: i32,
    /// Of the scored quantities; absent where nothing was measured.
    median_error_percent: Option<f64>,
    max_error_percent: Option<f64>,
    /// What was measured, with versions.
    systems: Vec<String>,
    not_modelled: Vec<String>,
}

impl From<&'static catalog::BlockType> for Fidelity {
    fn from(block: &'static catalog::BlockType) -> Self {
        let found = block.agreement();
        let count = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            cases: found.as_ref().map_or(0, |found| count(found.cases)),
            passed: found.as_ref().map_or(0, |found| count(found.passed)),
            median_error_percent: found.as_ref().and_then(|found| found.median_error_percent),
            max_error_percent: found.as_ref().and_then(|found| found.max_error_percent),
            systems: found.map(|found| found.systems).unwrap_or_default(),
            not_modelled: block.model.not_modelled.iter().map(|&sentence| sentence.to_owned()).collect(),
        }
    }
}

impl From<&'static catalog::BlockType> for BlockType {
    fn from(block: &'static catalog::BlockType) -> Self {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
        Self {
            r#type: block.kind.to_owned(),
            title: block.title.to_owned(),
            description: block.description.to_owned(),
            category: block.category.into(),
            inputs: block.inputs.iter().map(PortType::from).collect(),
            outputs: block.outputs.iter().map(PortType::from).collect(),
            parameter_schema: block.parameter_schema(),
            events: words(block.events),
            personas: words(&block.personas()),
            modelled: words(block.model.modelled),
            fidelity: Some(block.into()),
        }
    }
}

/// A place of a block where wires end.
#[derive(SimpleObject)]
pub struct PortType {
    name: String,
    /// Categories of the blocks that may be at the other end.
    accepts: Vec<BlockCategory>,
    required: bool,
    /// Whether more than one wire may end here.
    many: bool,
}

impl From<&catalog::PortType> for PortType {
    fn from(port: &catalog::PortType) -> Self {
        Self {
            name: port.name.to_owned(),
            accepts: port.accepts.iter().map(|&category| category.into()).collect(),
            required: port.required,
            many: port.many,
        }
    }
}

/// What a block is for.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "catalog::Category")]
pub enum BlockCategory {
    Workload,
    Transaction,
    Query,
    Index,
    Storage,
    Buffer,
    Log,
    Device,
    Cpu,
}

/// The rows of the catalogue that match: words of `search` in name, title or description, and the category.
pub fn search(search: Option<&str>, category: Option<BlockCategory>) -> Vec<BlockType> {
    let words: Vec<String> = search.unwrap_or_default().split_whitespace().map(str::to_lowercase).collect();
    let category = category.map(catalog::Category::from);
    let matches = |block: &&'static catalog::BlockType| {
        let text = format!("{} {} {}", block.kind, block.title, block.description).to_lowercase();
        category.is_none_or(|wanted| wanted == block.category) && words.iter().all(|word| text.contains(word))
    };
    catalog::block_types().iter().filter(matches).map(BlockType::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_narrows_the_catalogue_by_words_and_category() {
        let all = search(None, None);
        assert_eq!(all.len(), catalog::block_types().len());
        let buffers = search(None, Some(BlockCategory::Buffer));
        assert!(!buffers.is_empty() && buffers.iter().all(|block| block.category == BlockCategory::Buffer));
        let found = search(Some("HEAP storage"), None);
        assert!(found.iter().any(|block| block.r#type == "heap-storage"));
        assert!(search(Some("no such words anywhere"), None).is_empty());
    }
}
