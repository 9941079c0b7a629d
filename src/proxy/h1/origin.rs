//! What a proxy in front tells a service about the outside.

use super::head::{Kind, line};
use crate::proxy::http::Origin;

/// What a request says of proxies before us.
#[derive(Debug, Default)]
pub struct Forwarded<'b> {
    by: Vec<&'b [u8]>,
    host: bool,
    scheme: bool,
}

impl<'b> Forwarded<'b> {
    /// Notes one of its fields.
    pub fn note(&mut self, kind: Kind, value: &'b [u8]) {
        match kind {
            Kind::ForwardedFor => self.by.push(value),
            Kind::ForwardedHost => self.host = true,
            Kind::ForwardedProto => self.scheme = true,
            _ => {}
        }
    }

    /// Writes who calls, behind those who are known already; and whom, and how, where that is not said.
    pub fn write(&self, origin: &Origin, host: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(b"x-forwarded-for: ");
        for by in &self.by {
            out.extend_from_slice(by);
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(origin.address.as_bytes());
        out.extend_from_slice(b"\r\n");
        if !self.host {
            line("x-forwarded-host", host, out);
        }
        if !self.scheme {
            line("x-forwarded-proto", origin.scheme, out);
        }
    }
}
