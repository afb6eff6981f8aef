//! What is typed about relay keys and users.

use super::Form;
use crate::config;
use clap::ArgGroup;
use clap::Args;
use clap::Subcommand;
use std::time::Duration;

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Say how the key is; its text was shown when it was made, and is not known any more
    Show {
        #[command(flatten)]
        form: Form,
    },
    /// Make the key, or give it a new text, and print that, this once
    Rotate {
        /// How long the old text goes on working; 0s ends it at once
        #[arg(long, value_name = "SPAN", default_value = "0s", value_parser = config::duration)]
        overlap: Duration,
        #[command(flatten)]
        form: Form,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key and print its text, this once; from the first one on, calls need a key
    Create {
        /// A name for people: who or what calls with it
        name: String,
        /// Let it end after this long, such as 90d or 12h [default: never]
        #[arg(long, value_name = "SPAN", value_parser = config::duration)]
        expires_in: Option<Duration>,
        /// What it may have, by a policy of the catalog [default: what keys without one have]
        #[arg(long, value_name = "POLICY")]
        policy: Option<String>,
        #[command(flatten)]
        form: Form,
    },
    /// Give a key another policy of the catalog, or none
    Policy {
        #[command(flatten)]
        named: NamedKey,
        /// The policy; left out: the key has none any more
        policy: Option<String>,
    },
    /// List the keys; their texts are not known any more
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Let a key in no longer, until it is enabled again
    Disable(NamedKey),
    /// Let a disabled key in again
    Enable(NamedKey),
    /// Give a key a new text and print it; the old one goes on working for the overlap
    Rotate {
        #[command(flatten)]
        named: NamedKey,
        /// How long the old text goes on working; 0s ends it at once
        #[arg(long, value_name = "SPAN", default_value = "1d", value_parser = config::duration)]
        overlap: Duration,
    },
    /// Let a key end, or take its end away
    #[command(group(ArgGroup::new("end").required(true).args(["after", "never"])))]
    Expire {
        #[command(flatten)]
        named: NamedKey,
        /// Let it end after this long; 0s ends it now
        #[arg(long = "in", value_name = "SPAN", value_parser = config::duration)]
        after: Option<Duration>,
        /// Let it go on for good
        #[arg(long)]
        never: bool,
    },
    /// Forget a key
    Delete(NamedKey),
}

/// One key, and how to tell of it.
#[derive(Debug, Args)]
pub(crate) struct NamedKey {
    /// The key's name or id
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) form: Form,
}

pub(super) const KEY_EXAMPLES: &str = "\
Only hashes are kept, in keys.json of the state folder. A running daemon takes every change up at once.
Callers send a key as x-api-key or as Authorization: Bearer; the commands here need none.

Examples:
  inference-relay key create laptop                    prints irk_..., this once
  inference-relay key create ci --expires-in 90d --json
  inference-relay key list
  inference-relay key rotate laptop --overlap 2h       the old text works for two more hours
  inference-relay key disable ci
  inference-relay key expire ci --in 7d
  inference-relay key delete ci";

/// What can be done with users of the control plane.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Add a user; a random password is shown this once
    Add {
        #[command(flatten)]
        named: NamedUser,
        /// admin, operator or viewer
        #[arg(long, value_name = "ROLE", default_value = "viewer")]
        role: String,
        /// Read the password from standard input
        #[arg(long)]
        stdin: bool,
    },
    /// List the users
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Give a user a new password; their sessions end
    Passwd {
        #[command(flatten)]
        named: NamedUser,
        /// Read the password from standard input
        #[arg(long)]
        stdin: bool,
    },
    /// Remove a user; their sessions end
    Remove {
        #[command(flatten)]
        named: NamedUser,
        /// Remove the last admin, too
        #[arg(long)]
        force: bool,
    },
}

/// One user.
#[derive(Debug, Args)]
pub(crate) struct NamedUser {
    /// The user's name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) form: Form,
}

pub(super) const USER_EXAMPLES: &str = "\
Examples:
  inference-relay user add ada --role admin
  inference-relay user passwd admin
  inference-relay user passwd admin --stdin < password.txt
  inference-relay user list --json";
