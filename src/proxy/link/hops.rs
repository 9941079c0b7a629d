//! How many calls led to a request, each of which was made while the one before was being served.
//!
//! Where it is known of which request a call came, that is a sum. Of several it is known how many they are at least and at
//! most, and "at most" alone proves nothing: services that call back and serve much at once get ever larger numbers
//! without a circle. So that counts only where as many requests as it takes are waiting indeed.

use std::cell::Cell;

use super::Inbound;

/// More calls than this in a row are taken for a circle: no city has so long a street.
const MOST: u16 = 128;
/// The same where they are perhaps no row: a service may call itself, or who calls back, many times at once.
const MOST_SUPPOSED: u16 = 256;

/// How many calls led to a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hops {
    least: u16,
    most: u16,
}

impl Hops {
    /// Whether they are more than any request takes that comes to an end: surely, or where so many are waiting that they
    /// could be a row of that length.
    pub fn are_endless(self, are_deep: impl FnOnce() -> bool) -> bool {
        self.least > MOST || (self.most > MOST_SUPPOSED && are_deep())
    }

    /// How many they are at most.
    pub fn most(self) -> u16 {
        self.most
    }

    fn next(self) -> Self {
        Self { least: self.least.saturating_add(1), most: self.most.saturating_add(1) }
    }
}

/// Whether so many requests of one trace, none of which is answered, can be a row of that length.
pub fn is_deep(parts: usize) -> bool {
    parts >= usize::from(MOST_SUPPOSED)
}

/// Requests of which one made a call.
#[derive(Clone, Copy, Default)]
pub struct Among<'r> {
    pub first: Option<&'r Inbound>,
    pub count: usize,
    /// They do not all have the same entries.
    differ: bool,
    hops: Hops,
}

impl<'r> Among<'r> {
    /// One more, whose entries are its own business.
    pub fn add(&mut self, inbound: &'r Inbound) {
        let Hops { least, most } = inbound.identity.hops;
        self.hops = match self.first {
            None => inbound.identity.hops,
            Some(_) => Hops { least: self.hops.least.min(least), most: self.hops.most.max(most) },
        };
        self.first = self.first.or(Some(inbound));
        self.count += 1;
    }

    /// One more, whose entries are to be those of the others.
    pub fn add_alike(&mut self, inbound: &'r Inbound) {
        self.differ |= self.first.is_some_and(|first| first.local != inbound.local);
        self.add(inbound);
    }

    /// There is one, or which of them it is makes no difference.
    pub fn is_of_one_kind(&self) -> bool {
        self.count > 0 && !self.differ
    }

    /// How many calls lead to what one of them makes.
    pub fn below(&self) -> Hops {
        self.hops.next()
    }
}

/// What all services are serving.
#[derive(Default)]
pub struct Totals {
    /// Requests that no other led to.
    first: Cell<usize>,
    further: Cell<usize>,
}

impl Totals {
    fn of(&self, hops: Hops) -> &Cell<usize> {
        if hops.most == 0 { &self.first } else { &self.further }
    }

    /// A request is being served.
    pub fn begin(&self, hops: Hops) {
        self.of(hops).update(|count| count + 1);
    }

    /// It is not any more.
    pub fn end(&self, hops: Hops) {
        self.of(hops).update(|count| count.saturating_sub(1));
    }

    /// Whether there are so many calls for each request that began something that they can be a row of that length.
    pub fn are_deep(&self) -> bool {
        self.further.get() / self.first.get().max(1) >= usize::from(MOST_SUPPOSED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_at_once_are_not_deep_for_that() {
        let (totals, next) = (Totals::default(), Hops::default().next());
        (0..MOST_SUPPOSED).for_each(|_| totals.begin(next));
        assert!(totals.are_deep(), "whoever began it waits no more");
        totals.begin(Hops::default());
        assert!(totals.are_deep());
        totals.begin(Hops::default());
        assert!(!totals.are_deep(), "they are of two");
        totals.end(Hops::default());
        totals.end(next);
        assert!(!totals.are_deep());
    }

    #[test]
    fn what_is_sure_needs_no_proof_and_what_is_supposed_does() {
        let of = |least, most| Hops { least, most };
        assert!(of(MOST + 1, MOST + 1).are_endless(|| false) && !of(MOST, MOST).are_endless(|| true));
        assert!(of(1, 257).are_endless(|| true) && !of(1, 257).are_endless(|| false));
        assert!(!of(1, 256).are_endless(|| true));
    }
}
