//! What a source offers, and whether it is wanted. `[pure]`

use super::error::UpdateError;
use semver::Version;
use serde::Deserialize;

/// The signed list of a release's archives. Fields that a later version adds are passed over.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Manifest {
    product: String,
    pub(crate) version: Version,
    archives: Vec<Archive>,
}

/// One archive, for one kind of machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Archive {
    /// The system and the processor, such as `linux-x86_64`.
    platform: String,
    /// Its name beside the manifest.
    pub(crate) file: String,
    pub(crate) size: u64,
    /// In hexadecimal digits.
    pub(crate) sha256: String,
}

/// What to do about an offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decision {
    /// This is the newest one.
    Stay,
    Update(Archive),
}

impl Manifest {
    /// Reads a manifest whose signature was verified.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, UpdateError> {
        let manifest: Self = serde_json::from_slice(bytes)
            .map_err(|error| UpdateError::Manifest(error.to_string()))?;
        if manifest.product != PRODUCT {
            let product = &manifest.product;
            return Err(UpdateError::Manifest(format!("it is about {product:?}")));
        }
        let odd = |archive: &&Archive| !is_plain(&archive.file);
        match manifest.archives.iter().find(odd) {
            Some(odd) => Err(UpdateError::Manifest(format!(
                "{:?} is not a plain file name",
                odd.file
            ))),
            None => Ok(manifest),
        }
    }
}

/// Compares an offer with what runs here.
pub(crate) fn decide(
    running: &Version,
    offer: &Manifest,
    platform: &str,
) -> Result<Decision, UpdateError> {
    match offer.version.cmp_precedence(running) {
        std::cmp::Ordering::Equal => Ok(Decision::Stay),
        std::cmp::Ordering::Less => Err(UpdateError::Downgrade {
            offered: offer.version.to_string(),
            running: running.to_string(),
        }),
        std::cmp::Ordering::Greater => {
            let mut archives = offer.archives.iter();
            let found = archives.find(|archive| archive.platform == platform);
            let archive = found.ok_or_else(|| UpdateError::NotForHere {
                version: offer.version.to_string(),
                platform: platform.to_owned(),
            })?;
            Ok(Decision::Update(archive.clone()))
        }
    }
}

/// A name that stays in its folder, wherever it is put.
fn is_plain(name: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    !name.is_empty() && !name.starts_with('.') && name.chars().all(is_letter)
}

const PRODUCT: &str = "inference-relay";

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn manifest(version: &str, file: &str) -> Result<Manifest, UpdateError> {
        let text = json!({
            "product": "inference-relay", "version": version, "later": true,
            "archives": [{"platform": "linux-x86_64", "file": file, "size": 3, "sha256": "00"}],
        });
        Manifest::read(text.to_string().as_bytes())
    }

    fn decided(running: &str, offered: &str, platform: &str) -> Result<Decision, String> {
        let running = Version::parse(running).expect("a version must be one");
        let offer = manifest(offered, "a.tar.gz").expect("the manifest must be read");
        decide(&running, &offer, platform).map_err(|error| error.to_string())
    }

    #[test]
    fn only_a_newer_version_for_this_platform_is_taken() {
        let newer = decided("0.9.9", "0.10.0", "linux-x86_64");
        assert!(matches!(newer, Ok(Decision::Update(archive)) if archive.file == "a.tar.gz"));
        assert_eq!(
            decided("0.10.0", "0.10.0+build", "linux-x86_64"),
            Ok(Decision::Stay)
        );
        for (running, offered) in [("0.10.0", "0.9.9"), ("1.0.0", "1.0.0-rc.1")] {
            let told = decided(running, offered, "linux-x86_64");
            assert!(told.is_err_and(|told| told.contains("is older than")));
        }
        let told = decided("0.1.0", "0.2.0", "plan9-mips");
        assert_eq!(
            told,
            Err("the source has no 0.2.0 for plan9-mips".to_owned())
        );
    }

    #[test]
    fn a_name_that_leaves_its_folder_is_refused() {
        for name in ["../a", "/etc/a", "a/b", "", ".ssh", "a\\b", "a b"] {
            assert!(manifest("1.0.0", name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_manifest_of_something_else_is_refused() {
        let other = json!({"product": "other", "version": "1.0.0", "archives": []});
        assert!(Manifest::read(other.to_string().as_bytes()).is_err());
        assert!(Manifest::read(b"{").is_err());
    }
}
