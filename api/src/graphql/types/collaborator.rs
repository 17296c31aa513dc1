use async_graphql::{Enum, SimpleObject};
use entity::status;

use super::user::User;
use crate::service::permissions::Permissions;

/// Someone whom a design was shared with.
#[derive(SimpleObject)]
pub struct Collaborator {
    pub user: User,
    pub role: CollaboratorRole,
}

/// A VIEWER reads a design; an EDITOR also changes and runs it.
#[derive(Enum, Clone, Copy, PartialEq, Eq)]
#[graphql(remote = "status::CollaboratorRole")]
pub enum CollaboratorRole {
    Viewer,
    Editor,
}

/// What the viewer may do with a design besides reading it.
#[derive(SimpleObject)]
pub struct DesignPermissions {
    /// Change name, description and canvas, branch and merge.
    can_edit: bool,
    /// Change visibility, collaborators and share link.
    can_share: bool,
    /// Simulate it on the server.
    can_run: bool,
    /// Archive it, and take it back.
    can_archive: bool,
}

impl From<Permissions> for DesignPermissions {
    fn from(permissions: Permissions) -> Self {
        let Permissions { can_edit, can_share, can_run, can_archive } = permissions;
        Self { can_edit, can_share, can_run, can_archive }
    }
}
