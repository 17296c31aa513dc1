//! The same run again and again, with one or several values of the design or the workload changed: what each setting changes, to
//! which values, and where more of it stops paying.

pub mod knee;
mod values;

use serde_json::Value;

/// Points of a sweep at most: each is a run, or several.
pub const MAX_POINTS: usize = 256;

/// What a setting changes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// A parameter of the block at this position of the canvas.
    Parameter { block: usize, name: String },
    /// A value of the workload, by its path.
    Workload { path: Vec<String> },
}

/// A value to change, and the values it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// As it was written, without the values.
    pub name: String,
    target: Target,
    pub values: Vec<Value>,
}

/// One combination of values, ready to be checked as any canvas and workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// One a setting.
    pub values: Vec<Value>,
    pub canvas: Value,
    pub workload: Value,
}

impl Setting {
    /// Reads `pool.parameters.capacity_pages=1k..1M*2`: a block's id and the name of a parameter, or `workload.` and a path in the
    /// workload (`workload.config.concurrency`), and the values. Those are a list (`1,2,4`, `lru,fifo`), a geometric range
    /// (`1k..1M*2`) or an arithmetic one (`0..1+0.25`), both with their end where a step meets it. `k`, `M`, `G` are powers of 1000, `Ki`, `Mi`, `Gi` of
    /// 1024.
    ///
    /// # Errors
    /// What is wrong, in a sentence. Whether the values suit the parameter is for the check of each point.
    pub fn parse(text: &str, canvas: &Value) -> Result<Self, String> {
        let Some((name, values)) = text.split_once('=') else {
            return Err(format!(
                "\"{text}\" sets nothing: write a place and its values, as in pool.parameters.capacity_pages=1k..64k*2"
            ));
        };
        let target = target(name, canvas)?;
        let values = values::parse(values, MAX_POINTS).map_err(|problem| format!("{name}: {problem}"))?;
        Ok(Self { name: name.to_owned(), target, values })
    }
}

fn target(name: &str, canvas: &Value) -> Result<Target, String> {
    let blocks = canvas["blocks"].as_array().map_or(&[][..], Vec::as_slice);
    let ids: Vec<&str> = blocks.iter().filter_map(|block| block["id"].as_str()).collect();
    // An id may hold dots itself: the longest that fits is meant.
    let named = blocks.iter().enumerate().filter_map(|(block, found)| {
        let parameter = name.strip_prefix(found["id"].as_str()?)?.strip_prefix(".parameters.")?;
        Some((block, parameter))
    });
    if let Some((block, parameter)) = named.min_by_key(|(_, parameter)| parameter.len()) {
        return Ok(Target::Parameter { block, name: parameter.to_owned() });
    }
    match name.strip_prefix("workload.") {
        Some(path) => Ok(Target::Workload { path: path.split('.').map(str::to_owned).collect() }),
        None => Err(format!(
            "\"{name}\" is no place: write BLOCK.parameters.NAME, where BLOCK is one of {}, or workload.PATH",
            ids.join(", ")
        )),
    }
}

/// Every combination of the settings' values, the last setting varying fastest.
///
/// # Errors
/// What is wrong, in a sentence: too many points, or a place the workload does not have.
pub fn grid(settings: &[Setting], canvas: &Value, workload: &Value) -> Result<Vec<Point>, String> {
    let points = settings
        .iter()
        .try_fold(1usize, |points, setting| points.checked_mul(setting.values.len()))
        .unwrap_or(usize::MAX);
    if points > MAX_POINTS {
        return Err(format!("the settings make {points} combinations; at most {MAX_POINTS} are run"));
    }
    let start = Point { values: Vec::new(), canvas: canvas.clone(), workload: workload.clone() };
    settings.iter().try_fold(vec![start], |points, setting| {
        let combined = points
            .iter()
            .flat_map(|point| setting.values.iter().map(move |value| with(point, setting, value)));
        combined.collect()
    })
}

fn with(point: &Point, setting: &Setting, value: &Value) -> Result<Point, String> {
    let mut point = point.clone();
    point.values.push(value.clone());
    let place = match &setting.target {
        Target::Parameter { block, name } => {
            let block = &mut point.canvas["blocks"][*block];
            // A block may state no parameters at all. What states them as no object is told when the canvas is checked.
            if block["parameters"].is_null() {
                block["parameters"] = Value::Object(serde_json::Map::new());
            }
            let parameters = block["parameters"].as_object_mut();
            parameters.map(|parameters| parameters.entry(name.as_str()).or_insert(Value::Null))
        }
        Target::Workload { path } => place_in(&mut point.workload, path),
    };
    if let Some(place) = place {
        *place = value.clone();
        return Ok(point);
    }
    Err(format!("\"{}\" is no place of this design and workload", setting.name))
}

/// The value at a path; the last step may name a field that is not there yet.
fn place_in<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    let (last, before) = path.split_last()?;
    let mut place = value;
    for step in before {
        place = match place {
            Value::Object(fields) => fields.get_mut(step)?,
            Value::Array(items) => items.get_mut(step.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    match place {
        Value::Object(fields) => Some(fields.entry(last.as_str()).or_insert(Value::Null)),
        Value::Array(items) => items.get_mut(last.parse::<usize>().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn canvas() -> Value {
        json!({"blocks": [{"id": "b", "type": "x"}, {"id": "b.parameters", "type": "y", "parameters": {"n": 1}}]})
    }

    #[test]
    fn a_grid_holds_every_combination() {
        let workload = json!({"operations": [{"weight": 1.0}], "config": {}});
        let settings: Vec<Setting> =
            ["b.parameters.size=1,2", "workload.config.concurrency=8,16", "workload.operations.0.weight=3"]
                .iter()
                .map(|text| Setting::parse(text, &canvas()).unwrap())
                .collect();
        let points = grid(&settings, &canvas(), &workload).unwrap();
        let values: Vec<&[Value]> = points.iter().map(|point| point.values.as_slice()).collect();
        let expected =
            [[1, 8, 3], [1, 16, 3], [2, 8, 3], [2, 16, 3]].map(|values| values.map(|value| json!(value)));
        assert_eq!(values, expected);
        assert_eq!(points[3].canvas["blocks"][0]["parameters"], json!({"size": 2}));
        assert_eq!(points[3].canvas["blocks"][1], canvas()["blocks"][1]);
        assert_eq!(points[1].workload, json!({"operations": [{"weight": 3}], "config": {"concurrency": 16}}));
        assert_eq!(grid(&[], &canvas(), &workload).unwrap().len(), 1);
    }

    #[test]
    fn a_place_is_a_parameter_or_in_the_workload() {
        let target = |text| Setting::parse(text, &canvas()).map(|setting| setting.target);
        let parameter = |block, name: &str| Ok(Target::Parameter { block, name: name.to_owned() });
        assert_eq!(target("b.parameters.n=1"), parameter(0, "n"));
        assert_eq!(target("b.parameters.parameters.n=1"), parameter(1, "n"));
        assert!(target("c.parameters.n=1").unwrap_err().contains("where BLOCK is one of b, b.parameters"));
        assert!(target("b.parameters.n").unwrap_err().contains("sets nothing"));
        assert!(target("b.parameters.n=1..2").unwrap_err().starts_with("b.parameters.n: "));
        let nowhere = Setting::parse("workload.nothing.there=1", &canvas()).unwrap();
        assert!(grid(&[nowhere], &canvas(), &json!({})).unwrap_err().contains("workload.nothing.there"));
        let many = Setting::parse("b.parameters.n=1..20+1", &canvas()).unwrap();
        let found = grid(&[many.clone(), many], &canvas(), &json!({}));
        assert_eq!(found.unwrap_err(), "the settings make 400 combinations; at most 256 are run");
    }
}
