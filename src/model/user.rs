//! The account that runs a service.

use std::fmt;

/// The longest name of an account (useradd(8)).
const LONGEST: usize = 32;

/// An account and, where it is given, a group in place of the account's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct User {
    pub account: Account,
    pub group: Option<Account>,
}

/// An account or group: by name, which the machine knows, or by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Account {
    Name(String),
    Id(u32),
}

impl User {
    /// Reads `USER` or `USER:GROUP`; nothing where it is neither.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some((account, group)) => {
                Some(Self { account: Account::parse(account)?, group: Some(Account::parse(group)?) })
            }
            None => Some(Self { account: Account::parse(text)?, group: None }),
        }
    }
}

impl Account {
    /// A number, or a name of POSIX's portable characters (IEEE 1003.1, 3.426 and 3.265).
    fn parse(text: &str) -> Option<Self> {
        let portable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            // The largest number means "unchanged" to the kernel (setresuid(2)).
            return text.parse().ok().filter(|id| *id != u32::MAX).map(Self::Id);
        }
        let good = (1..=LONGEST).contains(&text.len()) && text.chars().all(portable) && !text.starts_with('-');
        good.then(|| Self::Name(text.to_owned()))
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.group {
            Some(group) => write!(f, "{}:{group}", self.account),
            None => write!(f, "{}", self.account),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => write!(f, "{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_names_or_numbers() {
        let name = |text: &str| Account::Name(text.to_owned());
        assert_eq!(User::parse("postgres"), Some(User { account: name("postgres"), group: None }));
        assert_eq!(User::parse("1000:staff"), Some(User { account: Account::Id(1000), group: Some(name("staff")) }));
        for text in ["0", "1000:1000", "www-data", "a.b:0"] {
            assert_eq!(User::parse(text).map(|user| user.to_string()).as_deref(), Some(text));
        }
        for text in ["", ":", "a:", ":a", "a b", "-a", "4294967295", "99999999999", "a:b:c", &"x".repeat(33)] {
            assert_eq!(User::parse(text), None, "{text}");
        }
    }
}
