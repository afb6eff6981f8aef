//! Why the licence lets a call through no further, in words. `[pure]`

use crate::license::Denial;
use crate::turn::Blame;
use crate::turn::Fault;
use crate::turn::FaultKind;

pub(super) fn of(denial: Denial) -> Fault {
    const REFRESH: &str = "then POST /v1/license/refresh";
    let (kind, public) = match denial {
        Denial::Invalid(why) => (
            FaultKind::LicenseInvalid,
            format!(
                "The licence does not let this call through: {why}. Check the key (licenseKey in settings.json, or \
                 IR_LICENSE_KEY) and restart, or have the licence renewed, {REFRESH}."
            ),
        ),
        Denial::CapExceeded { top_up_url } => {
            let place = top_up_url
                .as_ref()
                .map(|url| format!(" at {url}"))
                .unwrap_or_default();
            let public = format!(
                "The licence's calls of this month are used up. Add some{place}, {REFRESH}."
            );
            (FaultKind::CapExceeded { top_up_url }, public)
        }
        Denial::Unverified(why) => (
            FaultKind::LicenseUnverified,
            format!(
                "The licence could not be verified: {why}. Mend that, {REFRESH}; GET /v1/license tells how it stands."
            ),
        ),
    };
    Fault::new(kind, Blame::Client, public)
}
