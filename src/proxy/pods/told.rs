//! By which names a pod knows addresses of the world outside: what its server of names answered a moment ago.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

/// Addresses that are remembered, the last ones.
const MOST: usize = 512;

/// The name that was asked for last, by address.
#[derive(Debug, Default)]
pub struct Told {
    names: HashMap<IpAddr, Arc<str>>,
    /// In the order in which they came.
    order: VecDeque<IpAddr>,
}

impl Told {
    /// Remembers the addresses of a name.
    pub fn add(&mut self, name: &str, addresses: &[IpAddr]) {
        let name: Arc<str> = name.into();
        for &address in addresses {
            if self.names.insert(address, name.clone()).is_none() {
                self.order.push_back(address);
            }
        }
        while self.order.len() > MOST {
            let oldest = self.order.pop_front();
            oldest.and_then(|oldest| self.names.remove(&oldest));
        }
    }

    /// The name by which an address was asked for.
    pub fn name(&self, address: IpAddr) -> Option<Arc<str>> {
        self.names.get(&address).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_name_of_an_address_counts_and_the_oldest_are_forgotten() {
        let mut told = Told::default();
        let address = |number: u32| IpAddr::V4((0xc000_0000 + number).into());
        told.add("one.example", &[address(0), address(1)]);
        told.add("two.example", &[address(1)]);
        let name = |told: &Told, number: u32| told.name(address(number)).map(|name| name.to_string());
        assert_eq!(name(&told, 0).as_deref(), Some("one.example"));
        assert_eq!(name(&told, 1).as_deref(), Some("two.example"));
        (2..=512).for_each(|number| told.add("many.example", &[address(number)]));
        assert_eq!((name(&told, 0), told.names.len(), told.order.len()), (None, MOST, MOST));
        assert!(name(&told, 1).is_some() && name(&told, 512).is_some());
    }
}
