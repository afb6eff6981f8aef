//! Names of rows, one type a kind, so that none is taken for another. `[pure]`

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Defines a name: cheap to clone, shown as it is written.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $type(Arc<str>);

        impl $type {
            pub(crate) fn new(name: impl Into<Arc<str>>) -> Self {
                Self(name.into())
            }

            pub(crate) fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// The name of an HTTP endpoint.
    HostName
);
name!(
    /// The name of a credential; it is no secret.
    HostKeyName
);
name!(
    /// A model's own name, not one of its aliases.
    ModelName
);
name!(
    /// The name of a way from a model to a lane.
    BindingName
);
name!(
    /// The name of what a relay key may have.
    PolicyName
);
name!(
    /// The name of a person who may enter the control plane.
    UserName
);

impl HostKeyName {
    /// The name, for whoever keeps it with each call.
    pub(crate) fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

/// What serves a turn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum LaneName {
    ClaudePty,
    ClaudePrint,
    Codex,
    Http(HostName),
}

impl LaneName {
    /// Reads `claude-pty`, `claude-print`, `codex` or `http:HOST`.
    pub(crate) fn parse(text: &str) -> Option<LaneName> {
        match text {
            "claude-pty" => Some(LaneName::ClaudePty),
            "claude-print" => Some(LaneName::ClaudePrint),
            "codex" => Some(LaneName::Codex),
            _ => {
                let host = text.strip_prefix("http:").filter(|host| !host.is_empty());
                host.map(|host| LaneName::Http(HostName::new(host)))
            }
        }
    }
}

impl fmt::Display for LaneName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LaneName::ClaudePty => f.write_str("claude-pty"),
            LaneName::ClaudePrint => f.write_str("claude-print"),
            LaneName::Codex => f.write_str("codex"),
            LaneName::Http(host) => write!(f, "http:{host}"),
        }
    }
}
