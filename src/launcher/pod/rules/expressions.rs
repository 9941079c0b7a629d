//! What rules of nf_tables are made of: expressions that work on registers.

use super::super::netlink::Batch;
use super::{DIALLED, Family, Verdict};

/// The first register, which conditions read and write.
pub(super) const REGISTER: u32 = 1;
/// The first of the registers of four bytes, of which it consists; the others have the numbers behind.
pub(super) const WORDS: u32 = 8;
pub(super) const NETWORK_HEADER: u32 = 1;
pub(super) const TRANSPORT_HEADER: u32 = 2;

pub(super) fn conclude(batch: &mut Batch, verdict: Verdict) {
    const ACCEPT: u32 = 1;
    const VERDICT_REGISTER: u32 = 0;
    match verdict {
        Verdict::Accept => expression(batch, "immediate", |batch| {
            batch.number(1, VERDICT_REGISTER);
            let data = batch.open(2);
            let code = batch.open(2);
            batch.number(1, ACCEPT);
            batch.close(code);
            batch.close(data);
        }),
        Verdict::Redirect(port) => {
            expression(batch, "immediate", |batch| {
                batch.number(1, REGISTER);
                let data = batch.open(2);
                batch.attribute(1, &port.to_be_bytes());
                batch.close(data);
            });
            expression(batch, "redir", |batch| batch.number(1, REGISTER));
        }
        Verdict::Note => {
            let (offset, length) = Family::V4.destination();
            payload_into(batch, WORDS, NETWORK_HEADER, offset, length);
            payload_into(batch, WORDS + 1, TRANSPORT_HEADER, 2, 2);
            expression(batch, "dynset", |batch| {
                batch.text(1, DIALLED);
                batch.number(3, 0);
                batch.number(4, WORDS);
            });
        }
    }
}

pub(super) fn payload(batch: &mut Batch, base: u32, offset: u32, length: u32) {
    payload_into(batch, REGISTER, base, offset, length);
}

pub(super) fn payload_into(batch: &mut Batch, register: u32, base: u32, offset: u32, length: u32) {
    expression(batch, "payload", |batch| {
        batch.number(1, register);
        batch.number(2, base);
        batch.number(3, offset);
        batch.number(4, length);
    });
}

/// Goes on with packets whose key in a register is in a set; inverted, with all others.
pub(super) fn lookup(batch: &mut Batch, set: &str, register: u32, inverted: bool) {
    expression(batch, "lookup", |batch| {
        batch.text(1, set);
        batch.number(2, register);
        batch.number(5, inverted.into());
    });
}

pub(super) fn transport(batch: &mut Batch) {
    transport_into(batch, REGISTER);
}

pub(super) fn transport_into(batch: &mut Batch, register: u32) {
    const TRANSPORT_PROTOCOL: u32 = 16;
    expression(batch, "meta", |batch| {
        batch.number(1, register);
        batch.number(2, TRANSPORT_PROTOCOL);
    });
}

pub(super) const EQUAL: u32 = 0;
pub(super) const UNEQUAL: u32 = 1;

pub(super) fn compare(batch: &mut Batch, how: u32, value: &[u8]) {
    expression(batch, "cmp", |batch| {
        batch.number(1, REGISTER);
        batch.number(2, how);
        let data = batch.open(3);
        batch.attribute(1, value);
        batch.close(data);
    });
}

pub(super) fn expression(batch: &mut Batch, name: &str, content: impl FnOnce(&mut Batch)) {
    let element = batch.open(1);
    batch.text(1, name);
    let data = batch.open(2);
    content(batch);
    batch.close(data);
    batch.close(element);
}
