//! What the users of this machine are called.

use std::fs::File;
use std::io::Read;

/// Where they stand.
const USERS: &str = "/etc/passwd";
/// The most that is read of it, in bytes.
const USERS_MAX: u64 = 1 << 20;

/// The name of the user with this number, where this machine knows one.
pub(super) fn name_of(uid: u32) -> Option<String> {
    let mut users = Vec::new();
    File::open(USERS).ok()?.take(USERS_MAX).read_to_end(&mut users).ok()?;
    name_in(&String::from_utf8_lossy(&users), uid)
}

fn name_in(users: &str, uid: u32) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, number) = (fields.next()?, fields.next()?, fields.next()?);
        let is_it = !name.is_empty() && number.parse::<u32>().is_ok_and(|number| number == uid);
        is_it.then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_number() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\n# a remark\n:x:7::\nkim:x:1000:100::/home/kim:/bin/sh\nx:y:z\n";
        assert_eq!(name_in(users, 1000).as_deref(), Some("kim"));
        assert_eq!(name_in(users, 0).as_deref(), Some("root"));
        assert_eq!(name_in(users, 7), None);
        assert_eq!(name_in("", 0), None);
    }
}
