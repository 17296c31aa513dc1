//! People and their sessions.

use chrono::{DateTime, Utc};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    QuerySelect, Set,
    sea_query::{Expr, ExprTrait, Func},
};
use uuid::Uuid;

use crate::{
    DatabaseTransaction, StoreError, session,
    status::{Role, Tier},
    time::now,
    user,
};

/// What a new account is made of.
pub struct NewUser {
    pub handle: String,
    pub email: String,
    pub password_hash: String,
    pub tier: Tier,
}

/// Adds an account. [`StoreError::Taken`] when the handle or the e-mail address is in use, whatever its case.
pub async fn insert(db: &impl ConnectionTrait, new: NewUser) -> Result<user::Model, StoreError> {
    let now = now();
    let row = user::ActiveModel {
        id: Set(Uuid::now_v7()),
        handle: Set(new.handle),
        email: Set(new.email),
        password_hash: Set(new.password_hash),
        role: Set(Role::User),
        tier: Set(new.tier),
        created_at: Set(now),
        updated_at: Set(now),
        deleted_at: Set(None),
    };
    Ok(row.insert(db).await?)
}

/// The living account with this id.
pub async fn find(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<user::Model>, StoreError> {
    Ok(user::Entity::find_by_id(id).filter(user::Column::DeletedAt.is_null()).one(db).await?)
}

/// The living account with this id, locked until the transaction ends: what is counted of it meanwhile stays so.
pub async fn find_for_update(txn: &DatabaseTransaction, id: Uuid) -> Result<Option<user::Model>, StoreError> {
    Ok(user::Entity::find_by_id(id)
        .filter(user::Column::DeletedAt.is_null())
        .lock_exclusive()
        .one(txn)
        .await?)
}

/// The living accounts among these ids, in any order.
pub async fn find_many(db: &impl ConnectionTrait, ids: &[Uuid]) -> Result<Vec<user::Model>, StoreError> {
    Ok(user::Entity::find()
        .filter(user::Column::Id.is_in(ids.iter().copied()))
        .filter(user::Column::DeletedAt.is_null())
        .all(db)
        .await?)
}

/// The living account with this e-mail address, whatever its case.
pub async fn find_by_email(
    db: &impl ConnectionTrait,
    email: &str,
) -> Result<Option<user::Model>, StoreError> {
    find_by(db, user::Column::Email, email).await
}

/// The living account with this handle, whatever its case.
pub async fn find_by_handle(
    db: &impl ConnectionTrait,
    handle: &str,
) -> Result<Option<user::Model>, StoreError> {
    find_by(db, user::Column::Handle, handle).await
}

async fn find_by(
    db: &impl ConnectionTrait,
    column: user::Column,
    value: &str,
) -> Result<Option<user::Model>, StoreError> {
    Ok(user::Entity::find()
        .filter(Expr::expr(Func::lower(column.into_expr())).eq(Func::lower(Expr::val(value))))
        .filter(user::Column::DeletedAt.is_null())
        .one(db)
        .await?)
}

/// Moves an account to another tier.
pub async fn set_tier(
    db: &impl ConnectionTrait,
    user: user::Model,
    tier: Tier,
) -> Result<user::Model, StoreError> {
    let mut row = user.into_active_model();
    row.tier = Set(tier);
    row.updated_at = Set(now());
    Ok(row.update(db).await?)
}

/// Gives an account another role.
pub async fn set_role(
    db: &impl ConnectionTrait,
    user: user::Model,
    role: Role,
) -> Result<user::Model, StoreError> {
    let mut row = user.into_active_model();
    row.role = Set(role);
    row.updated_at = Set(now());
    Ok(row.update(db).await?)
}

/// Gives an account another password.
pub async fn set_password(
    db: &impl ConnectionTrait,
    user: user::Model,
    password_hash: String,
) -> Result<user::Model, StoreError> {
    let mut row = user.into_active_model();
    row.password_hash = Set(password_hash);
    row.updated_at = Set(now());
    Ok(row.update(db).await?)
}

/// Opens a session whose refresh token's secret hashes to `refresh_token_hash`.
pub async fn insert_session(
    db: &impl ConnectionTrait,
    id: Uuid,
    user_id: Uuid,
    refresh_token_hash: String,
    user_agent: Option<String>,
    expires_at: DateTime<Utc>,
) -> Result<session::Model, StoreError> {
    let now = now();
    let row = session::ActiveModel {
        id: Set(id),
        user_id: Set(user_id),
        refresh_token_hash: Set(refresh_token_hash),
        user_agent: Set(user_agent),
        created_at: Set(now),
        last_used_at: Set(now),
        expires_at: Set(expires_at),
        revoked_at: Set(None),
    };
    Ok(row.insert(db).await?)
}

/// A session that is neither revoked nor past its end.
pub async fn find_session(db: &impl ConnectionTrait, id: Uuid) -> Result<Option<session::Model>, StoreError> {
    Ok(session::Entity::find_by_id(id)
        .filter(session::Column::RevokedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(now()))
        .one(db)
        .await?)
}

/// The sessions of a user that are neither revoked nor past their end, the last used first.
pub async fn open_sessions(
    db: &impl ConnectionTrait,
    user_id: Uuid,
) -> Result<Vec<session::Model>, StoreError> {
    Ok(session::Entity::find()
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::RevokedAt.is_null())
        .filter(session::Column::ExpiresAt.gt(now()))
        .order_by_desc(session::Column::LastUsedAt)
        .order_by_desc(session::Column::Id)
        .all(db)
        .await?)
}

/// Ends the sessions of a user, all but `kept`.
pub async fn revoke_other_sessions(
    db: &impl ConnectionTrait,
    user_id: Uuid,
    kept: Uuid,
) -> Result<(), StoreError> {
    session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, Expr::value(now()))
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::Id.ne(kept))
        .filter(session::Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(())
}

/// Replaces the hash of a session's refresh token, if it still is `old_hash`: of two refreshes with the same token only
/// one gets through. Tells whether this one did.
pub async fn rotate_session(
    db: &impl ConnectionTrait,
    id: Uuid,
    old_hash: &str,
    new_hash: String,
    expires_at: DateTime<Utc>,
) -> Result<bool, StoreError> {
    let result = session::Entity::update_many()
        .col_expr(session::Column::RefreshTokenHash, Expr::value(new_hash))
        .col_expr(session::Column::LastUsedAt, Expr::value(now()))
        .col_expr(session::Column::ExpiresAt, Expr::value(expires_at))
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::RefreshTokenHash.eq(old_hash))
        .filter(session::Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}

/// Ends a session of this user. Tells whether it was open.
pub async fn revoke_session(db: &impl ConnectionTrait, id: Uuid, user_id: Uuid) -> Result<bool, StoreError> {
    let result = session::Entity::update_many()
        .col_expr(session::Column::RevokedAt, Expr::value(now()))
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::UserId.eq(user_id))
        .filter(session::Column::RevokedAt.is_null())
        .exec(db)
        .await?;
    Ok(result.rows_affected == 1)
}
