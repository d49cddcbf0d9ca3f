//! The certificate of an object's hosts.

use fairway_crds::conditions::Reason;

use super::Lowering;

impl Lowering<'_> {
    /// Tells whoever gives hosts a certificate of their own where it is taken from meanwhile.
    pub(super) fn tls(&mut self) {
        if self.spec.tls.is_none() {
            return;
        }
        let message = "is not served yet: give the certificate to the gateway (--certificates, or certificates of the chart), and leave tls out";
        self.tell(None, "spec.tls".to_owned(), Reason::UnsupportedValue, message.to_owned());
    }
}
