//! The versions of the API, and what its readers say of fields.

use crate::turn::Fault;

pub(super) use crate::wire::field::Path;
pub(super) use crate::wire::field::echo;
pub(super) use crate::wire::field::invalid;
pub(super) use crate::wire::field::number;
pub(super) use crate::wire::field::object;
pub(super) use crate::wire::field::string;
pub(super) use crate::wire::field::unexpected_tag;
pub(super) use crate::wire::field::whole_number;

/// A version of the API, by the header `anthropic-version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V2023_06_01,
    /// Sampling parameters are gone; documents of the assistant and citations of the user are refused.
    V2026_10_21,
}

impl Version {
    /// Reads the header. Where it is missing the API refuses; we take the older version, for people with curl.
    ///
    /// # Errors
    /// `invalid_request` for any other text.
    pub(crate) fn from_header(header: Option<&[u8]>) -> Result<Version, Fault> {
        match header {
            None | Some(b"2023-06-01") => Ok(Version::V2023_06_01),
            Some(b"2026-10-21") => Ok(Version::V2026_10_21),
            Some(other) => Err(invalid(format!(
                "anthropic-version: \"{}\" is not a valid version; use 2023-06-01 or 2026-10-21",
                echo(&String::from_utf8_lossy(other))
            ))),
        }
    }
}
