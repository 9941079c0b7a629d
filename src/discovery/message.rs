//! One query and its replies, as bytes (RFC 1035 section 4; EDNS: RFC 6891).

use std::net::{IpAddr, Ipv4Addr};

use hickory_proto::op::{Edns, Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::EdnsOption;
use hickory_proto::rr::rdata::{HINFO, PTR, SOA, SRV};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};

/// How long our answers may be kept, in seconds: a changed plan is soon known.
const TTL: u32 = 5;
/// The largest datagram that we ask for (DNS flag day 2020).
const OUR_LIMIT: u16 = 1232;
const HEADER: usize = 12;
/// The extended error "prohibited" (RFC 8914 section 4.19).
const PROHIBITED: [u8; 2] = [0, 18];

/// A query that can be answered.
#[derive(Debug)]
pub struct Query<'a> {
    pub bytes: &'a [u8],
    /// In small letters, without the last dot; labels that hold more than host names do are escaped.
    pub name: String,
    pub kind: RecordType,
    message: Message,
}

/// What becomes of bytes that are no query that can be answered.
#[derive(Debug, PartialEq, Eq)]
pub enum Unanswerable {
    /// Nobody can be told.
    Drop,
    Refuse(Vec<u8>),
}

impl<'a> Query<'a> {
    /// Reads a query; the error is what to do instead of answering it.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Unanswerable> {
        let Some(header) = bytes.first_chunk::<HEADER>().filter(|header| header[2] & 0x80 == 0) else {
            // Too short for an id, or a response: answers to answers would never end.
            return Err(Unanswerable::Drop);
        };
        let opcode = OpCode::from_u8(header[2] >> 3 & 0xf);
        if opcode != OpCode::Query {
            return Err(refuse(header, opcode, ResponseCode::NotImp));
        }
        let malformed = || refuse(header, opcode, ResponseCode::FormErr);
        if question(bytes).is_none() {
            return Err(malformed());
        }
        let message = Message::from_vec(bytes).map_err(|_| malformed())?;
        let Some(question) = message.queries.first() else { return Err(malformed()) };
        let name = question.name.to_lowercase().to_ascii();
        let query = Self {
            bytes,
            name: name.strip_suffix('.').map(str::to_owned).unwrap_or(name),
            kind: question.query_type,
            message,
        };
        match query.unsupported() {
            Some(code) => Err(Unanswerable::Refuse(query.error(code))),
            None => Ok(query),
        }
    }

    fn unsupported(&self) -> Option<ResponseCode> {
        if self.message.version() > 0 {
            return Some(ResponseCode::BADVERS);
        }
        if self.message.queries.iter().any(|question| question.query_class != DNSClass::IN) {
            return Some(ResponseCode::Refused);
        }
        matches!(self.kind, RecordType::AXFR | RecordType::IXFR).then_some(ResponseCode::NotImp)
    }

    /// The client's number for it.
    pub fn id(&self) -> u16 {
        self.message.id
    }

    /// The largest datagram that the client takes, in bytes: 512 where it does not say (RFC 1035 section 4.2.1).
    pub fn limit(&self) -> u16 {
        self.message.max_payload()
    }

    /// The address that a reverse look-up asks for.
    pub fn reverse(&self) -> Option<IpAddr> {
        let net = self.question_name().parse_arpa_name().ok()?;
        (net.prefix_len() == net.max_prefix_len()).then(|| net.addr())
    }

    /// Records of these addresses that are of the kind asked for; none is an answer too.
    pub fn addresses(&self, addresses: impl IntoIterator<Item = IpAddr>) -> Vec<u8> {
        let records = addresses.into_iter().filter_map(|address| match (self.kind, address) {
            (RecordType::A | RecordType::ANY, IpAddr::V4(address)) => Some(RData::A(address.into())),
            (RecordType::AAAA | RecordType::ANY, IpAddr::V6(address)) => Some(RData::AAAA(address.into())),
            _ => None,
        });
        self.records(records.collect())
    }

    /// The one address of a name of ours.
    pub fn address(&self, address: Ipv4Addr) -> Vec<u8> {
        self.addresses([address.into()])
    }

    /// A port, at the host of this name.
    pub fn port(&self, number: u16, host: &str) -> Vec<u8> {
        if self.kind != RecordType::SRV {
            return self.empty();
        }
        match Name::from_ascii(format!("{host}.")) {
            Ok(target) => self.records(vec![RData::SRV(SRV::new(0, 100, number, target))]),
            Err(_) => self.error(ResponseCode::ServFail),
        }
    }

    /// The name of an address.
    pub fn pointer(&self, host: &str) -> Vec<u8> {
        if !matches!(self.kind, RecordType::PTR | RecordType::ANY) {
            return self.empty();
        }
        match Name::from_ascii(format!("{host}.")) {
            Ok(target) => self.records(vec![RData::PTR(PTR(target))]),
            Err(_) => self.error(ResponseCode::ServFail),
        }
    }

    /// The name is there, but no record of this kind (RFC 2308 section 2.2). Whoever asks for all gets a record that
    /// says nothing (RFC 8482 section 4.2).
    pub fn empty(&self) -> Vec<u8> {
        if self.kind == RecordType::ANY {
            return self.records(vec![RData::HINFO(HINFO::new("RFC8482".to_owned(), String::new()))]);
        }
        self.negative(ResponseCode::NoError, self.question_name().clone())
    }

    /// There is no such name in this domain (RFC 2308 section 2.1).
    pub fn missing(&self, domain: &str) -> Vec<u8> {
        let apex = Name::from_ascii(format!("{domain}.")).unwrap_or_else(|_| self.question_name().clone());
        self.negative(ResponseCode::NXDomain, apex)
    }

    /// No answer, for a reason.
    pub fn error(&self, code: ResponseCode) -> Vec<u8> {
        encode(&self.reply(code))
    }

    /// Refused, with the reason for those who read extended errors.
    pub fn prohibited(&self, reason: &str) -> Vec<u8> {
        let mut reply = self.reply(ResponseCode::Refused);
        if let Some(edns) = &mut reply.edns {
            let text = [&PROHIBITED, reason.as_bytes()].concat();
            edns.options_mut().insert(EdnsOption::Unknown(15, text));
        }
        encode(&reply)
    }

    /// Too long for a datagram: the client is to come again over TCP.
    pub fn truncated(&self) -> Vec<u8> {
        let mut reply = self.reply(ResponseCode::NoError);
        reply.metadata.truncation = true;
        encode(&reply)
    }

    fn records(&self, records: Vec<RData>) -> Vec<u8> {
        if records.is_empty() {
            return self.empty();
        }
        let mut reply = self.reply(ResponseCode::NoError);
        reply.metadata.authoritative = true;
        reply.answers = records.into_iter().map(|data| self.record(self.question_name().clone(), data)).collect();
        encode(&reply)
    }

    /// With the SOA that lets the absence be kept for a while.
    fn negative(&self, code: ResponseCode, apex: Name) -> Vec<u8> {
        let mut reply = self.reply(code);
        reply.metadata.authoritative = true;
        let host = |label: &str| Name::from_ascii(format!("{label}.nagaya.internal.")).unwrap_or_default();
        let soa = SOA::new(host("dns"), host("hostmaster"), 1, 3600, 600, 86400, TTL);
        reply.authorities = vec![self.record(apex, RData::SOA(soa))];
        encode(&reply)
    }

    fn record(&self, name: Name, data: RData) -> Record {
        Record::from_rdata(name, TTL, data)
    }

    fn reply(&self, code: ResponseCode) -> Message {
        let mut reply = Message::error_msg(self.message.id, OpCode::Query, code);
        reply.metadata.recursion_desired = self.message.recursion_desired;
        reply.metadata.recursion_available = true;
        reply.metadata.checking_disabled = self.message.checking_disabled;
        reply.queries = self.message.queries.clone();
        reply.edns = self.message.edns.as_ref().map(|asked| {
            let mut edns = Edns::new();
            edns.set_max_payload(OUR_LIMIT).set_dnssec_ok(asked.flags().dnssec_ok);
            edns
        });
        reply
    }

    fn question_name(&self) -> &Name {
        &self.message.queries[0].name
    }
}

/// The addresses in a reply; none in what is no reply.
pub fn addresses(reply: &[u8]) -> Vec<IpAddr> {
    let answers = Message::from_vec(reply).map(|reply| reply.answers).unwrap_or_default();
    let address = |record: &Record| match &record.data {
        RData::A(address) => Some(IpAddr::V4(address.0)),
        RData::AAAA(address) => Some(IpAddr::V6(address.0)),
        _ => None,
    };
    answers.iter().filter_map(address).collect()
}

/// The one question of a message. There are no others in practice, and no rule for what they would mean (RFC 9619).
pub fn question(message: &[u8]) -> Option<&[u8]> {
    if message.get(4..6)? != [0, 1] {
        return None;
    }
    let mut end = HEADER;
    loop {
        match usize::from(*message.get(end)?) {
            0 => return message.get(HEADER..end + 5),
            length @ 1..=63 => end += 1 + length,
            // Nothing stands before it that a pointer could mean.
            _ => return None,
        }
    }
}

/// A refusal of what cannot even be read; the header is all that is known.
fn refuse(header: &[u8; HEADER], opcode: OpCode, code: ResponseCode) -> Unanswerable {
    let mut reply = Message::error_msg(u16::from_be_bytes([header[0], header[1]]), opcode, code);
    reply.metadata.recursion_desired = header[2] & 1 != 0;
    Unanswerable::Refuse(encode(&reply))
}

/// Our replies always fit: their names are checked and their records few.
fn encode(message: &Message) -> Vec<u8> {
    message.to_vec().unwrap_or_default()
}
