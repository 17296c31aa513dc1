use async_graphql::{Context, Error, ID, Object};
use chrono::{DateTime, Utc};
use entity::design_branch;

use super::{design::Design, design_version::DesignVersion};
use crate::graphql::{
    errors::missing_parent,
    id::GlobalId,
    loaders::{DesignById, VersionAt, load},
};

/// `Branch` of the schema.
pub struct Branch(design_branch::Model);

impl From<design_branch::Model> for Branch {
    fn from(row: design_branch::Model) -> Self {
        Self(row)
    }
}

/// A line of a design's versions under a name.
#[Object]
impl Branch {
    /// Opaque and globally unique; never parse it.
    pub async fn id(&self) -> ID {
        GlobalId::Branch(self.0.id).into()
    }

    /// Unique in its design.
    async fn name(&self) -> &str {
        &self.0.name
    }

    async fn design(&self, ctx: &Context<'_>) -> Result<Design, Error> {
        load(ctx, DesignById(self.0.design_id)).await?.map(Design::from).ok_or_else(missing_parent)
    }

    /// Its newest version.
    async fn head(&self, ctx: &Context<'_>) -> Result<DesignVersion, Error> {
        let head = VersionAt { design_id: self.0.design_id, number: self.0.head_number };
        load(ctx, head).await?.map(DesignVersion::from).ok_or_else(missing_parent)
    }

    /// Whether its head is the canvas of the design.
    async fn is_default(&self) -> bool {
        self.0.is_default()
    }

    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}
