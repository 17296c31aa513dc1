//! The built-in designs and workloads.

use engine::templates::TemplateCategory as EngineCategory;
use entity::{
    status::TemplateCategory,
    store::templates::{self, TemplateSeed, WorkloadSeed},
};
use worker::{bus::Notice, pool::Services};

use super::{ServiceResult, jobs::announce};

/// Brings the stored templates up to date with the engine's. Calling it again changes nothing.
pub async fn seed(services: &Services) -> ServiceResult<()> {
    let workloads = engine::templates::workloads()
        .iter()
        .map(|template| {
            let workload = template.workload();
            Ok(WorkloadSeed {
                slug: template.slug.to_owned(),
                name: template.name.to_owned(),
                description: template.description.to_owned(),
                operations: serde_json::to_value(workload.operations)?,
                tables: serde_json::to_value(workload.tables)?,
                config: serde_json::to_value(workload.config)?,
            })
        })
        .collect::<Result<Vec<_>, serde_json::Error>>()?;
    let designs = engine::templates::designs()
        .iter()
        .map(|template| TemplateSeed {
            slug: template.slug.to_owned(),
            name: template.name.to_owned(),
            description: template.description.to_owned(),
            category: match template.category {
                EngineCategory::Oltp => TemplateCategory::Oltp,
                EngineCategory::Olap => TemplateCategory::Olap,
                EngineCategory::WriteHeavy => TemplateCategory::WriteHeavy,
            },
            canvas_state: template.canvas(),
            workload_slug: template.workload_slug.to_owned(),
        })
        .collect();
    if templates::seed(&services.db, workloads, designs).await? {
        announce(services, &Notice::TemplatesChanged).await;
    }
    Ok(())
}
