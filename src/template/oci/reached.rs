//! What the error of a request says of who was reached: nobody, somebody who speaks no TLS, somebody not to be trusted.

use std::io;

/// What TLS itself found wrong, if that was it.
fn tls_fault(error: &ureq::Error) -> Option<&rustls::Error> {
    match error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// Whether TLS was spoken, by one whose certificate cannot be trusted.
pub(super) fn is_distrust(error: &ureq::Error) -> bool {
    matches!(tls_fault(error), Some(rustls::Error::InvalidCertificate(_)))
}

/// Whether nobody listens there.
pub(super) fn is_refusal(error: &ureq::Error) -> bool {
    matches!(error, ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused)
}

/// Whether the same might go well a moment later: who speaks no TLS, or has no good certificate, will have none then.
pub(super) fn is_passing(error: &ureq::Error) -> bool {
    tls_fault(error).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::{CertificateError, Error, InvalidMessage};

    #[test]
    fn faults_of_tls_stay_and_those_of_the_way_pass() {
        let within = |error: Error| ureq::Error::Io(io::Error::new(io::ErrorKind::InvalidData, error));
        let plain = within(Error::InvalidMessage(InvalidMessage::InvalidContentType));
        assert!(!is_passing(&plain) && !is_distrust(&plain) && !is_refusal(&plain));
        let unknown = within(Error::InvalidCertificate(CertificateError::UnknownIssuer));
        assert!(!is_passing(&unknown) && is_distrust(&unknown));
        let refused = ureq::Error::Io(io::ErrorKind::ConnectionRefused.into());
        assert!(is_passing(&refused) && is_refusal(&refused) && !is_distrust(&refused));
        let cut_off = ureq::Error::Io(io::ErrorKind::UnexpectedEof.into());
        assert!(is_passing(&cut_off) && !is_refusal(&cut_off));
    }
}
