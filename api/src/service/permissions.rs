//! What a viewer may do with a design.

use entity::{
    design,
    store::{Transaction, design_access::Access, designs},
};
use uuid::Uuid;

use super::{ErrorCode, ServiceResult, UserError};
use crate::auth::Viewer;

/// What a viewer may do with a design now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions {
    pub can_edit: bool,
    pub can_share: bool,
    pub can_run: bool,
    pub can_archive: bool,
}

impl Permissions {
    /// What someone of this access may do. An archived design is at rest: it can only be taken back.
    pub fn of(access: Access, archived: bool) -> Self {
        let edit = access >= Access::Edit && !archived;
        let own = access >= Access::Own;
        Self { can_edit: edit, can_share: own && !archived, can_run: edit, can_archive: own }
    }
}

/// Locks a design that the viewer means to change: none of its readers are told anything but that they may not, and who may
/// not read it is told what they would be told if it did not exist. `field` is where the input names the design.
///
/// # Errors
/// `NOT_FOUND`; `FORBIDDEN` when the viewer's access is below `needed`, or the design is archived.
pub async fn lock_for(
    txn: &Transaction,
    viewer: Viewer,
    id: Uuid,
    field: &str,
    needed: Access,
) -> ServiceResult<(design::Model, Access)> {
    let (design, access) = lock_even_archived(txn, viewer, id, field, needed).await?;
    if design.deleted_at.is_some() {
        let message = "the design is archived; unarchive it first";
        return Err(UserError::new(ErrorCode::Forbidden, &[field], message).into());
    }
    Ok((design, access))
}

/// [`lock_for`] of a design that may be archived.
pub async fn lock_even_archived(
    txn: &Transaction,
    viewer: Viewer,
    id: Uuid,
    field: &str,
    needed: Access,
) -> ServiceResult<(design::Model, Access)> {
    let found = designs::lock(txn, id, viewer.user_id).await?;
    let (design, access) = found.ok_or_else(|| UserError::not_found(&[field], "design"))?;
    if access < needed {
        let message = match needed {
            Access::Own => "only the owner of the design can do this",
            _ => "only the owner of the design and its editors can do this",
        };
        return Err(UserError::new(ErrorCode::Forbidden, &[field], message).into());
    }
    Ok((design, access))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_do_more_may_do_all_that_comes_before() {
        let may = |access, archived| {
            let Permissions { can_edit, can_share, can_run, can_archive } = Permissions::of(access, archived);
            [can_edit, can_run, can_share, can_archive]
        };
        for access in [Access::None, Access::Open, Access::View] {
            assert_eq!(may(access, false), [false; 4]);
        }
        assert_eq!(may(Access::Edit, false), [true, true, false, false]);
        assert_eq!(may(Access::Own, false), [true; 4]);
        assert_eq!(may(Access::Own, true), [false, false, false, true]);
    }
}
