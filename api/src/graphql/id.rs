//! Global ids: opaque to clients, a type and its key to us.

use async_graphql::ID;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

/// What an id points at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GlobalId {
    User(Uuid),
    Design(Uuid),
    DesignVersion(Uuid),
    Branch(Uuid),
    Workload(Uuid),
    Template(Uuid),
    SimulationJob(Uuid),
    SimulationRun(Uuid),
    /// A run and the sequence number of one of its events.
    RunEvent(Uuid, i32),
    Session(Uuid),
    BlockConfig(Uuid),
    UserDataExportJob(Uuid),
}

impl GlobalId {
    /// Reads an id as a client sent it; none for anything that we never gave out.
    pub fn decode(id: &ID) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(id.as_str()).ok()?;
        let text = String::from_utf8(bytes).ok()?;
        let (kind, key) = text.split_once(':')?;
        if kind == "RunEvent" {
            let (run, sequence) = key.split_once(':')?;
            return Some(Self::RunEvent(run.parse().ok()?, sequence.parse().ok()?));
        }
        let key = key.parse().ok()?;
        Some(match kind {
            "User" => Self::User(key),
            "Design" => Self::Design(key),
            "DesignVersion" => Self::DesignVersion(key),
            "Branch" => Self::Branch(key),
            "Workload" => Self::Workload(key),
            "Template" => Self::Template(key),
            "SimulationJob" => Self::SimulationJob(key),
            "SimulationRun" => Self::SimulationRun(key),
            "Session" => Self::Session(key),
            "BlockConfig" => Self::BlockConfig(key),
            "UserDataExportJob" => Self::UserDataExportJob(key),
            _ => return None,
        })
    }
}

impl From<GlobalId> for ID {
    fn from(id: GlobalId) -> Self {
        let text = match id {
            GlobalId::User(key) => format!("User:{key}"),
            GlobalId::Design(key) => format!("Design:{key}"),
            GlobalId::DesignVersion(key) => format!("DesignVersion:{key}"),
            GlobalId::Branch(key) => format!("Branch:{key}"),
            GlobalId::Workload(key) => format!("Workload:{key}"),
            GlobalId::Template(key) => format!("Template:{key}"),
            GlobalId::SimulationJob(key) => format!("SimulationJob:{key}"),
            GlobalId::SimulationRun(key) => format!("SimulationRun:{key}"),
            GlobalId::RunEvent(run, sequence) => format!("RunEvent:{run}:{sequence}"),
            GlobalId::Session(key) => format!("Session:{key}"),
            GlobalId::BlockConfig(key) => format!("BlockConfig:{key}"),
            GlobalId::UserDataExportJob(key) => format!("UserDataExportJob:{key}"),
        };
        ID(URL_SAFE_NO_PAD.encode(text))
    }
}

/// Declares a reader for the ids of one type: the key, or none for the id of anything else.
macro_rules! key_of {
    ($($name:ident: $variant:ident),+ $(,)?) => {
        $(pub fn $name(id: &ID) -> Option<Uuid> {
            match GlobalId::decode(id) {
                Some(GlobalId::$variant(key)) => Some(key),
                _ => None,
            }
        })+
    };
}
key_of!(
    design_key: Design,
    workload_key: Workload,
    template_key: Template,
    job_key: SimulationJob,
    run_key: SimulationRun,
    session_key: Session,
    block_config_key: BlockConfig,
    user_key: User,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_text_and_fits_its_own_type_alone() {
        let key = Uuid::now_v7();
        for id in [GlobalId::Design(key), GlobalId::RunEvent(key, 7), GlobalId::SimulationJob(key)] {
            assert_eq!(GlobalId::decode(&ID::from(id)), Some(id));
        }
        let id = ID::from(GlobalId::Design(key));
        assert_eq!(design_key(&id), Some(key));
        assert_eq!(workload_key(&id), None);
        for garbage in ["", "1", "????", "RGVzaWduOjE", "VW5rbm93bjox"] {
            assert_eq!(GlobalId::decode(&ID::from(garbage)), None, "{garbage}");
        }
    }
}
