//! Goal: whatever people export and edit is read as they mean it, and each row that cannot be used is told with its
//! line.

use proptest::prelude::*;

use super::*;

fn read_text(text: &str) -> Lists {
    read(text.as_bytes(), Reading::default()).unwrap()
}

fn mails<T>(list: &[(MailAddress, T)]) -> Vec<&str> {
    list.iter().map(|(mail, _)| mail.as_str()).collect()
}

#[test]
fn rows_without_headings_are_list_address_reason() {
    let lists = read_text(
        "blacklist;Anna@Kommune.dk;har fået nyt job\nwhitelist;bo@kommune.dk;\n\nBlack;rum1@kommune.dk;\"lukket; ombygning\"\n",
    );
    assert_eq!(mails(&lists.blacklist), ["anna@kommune.dk", "rum1@kommune.dk"]);
    assert_eq!(lists.blacklist[1].1, "lukket; ombygning");
    assert_eq!((mails(&lists.whitelist), &lists.whitelist[0].1), (vec!["bo@kommune.dk"], &None));
    assert_eq!((lists.invalid, lists.repeated), (Vec::new(), 0));
}

#[test]
fn headings_may_stand_in_any_order_and_in_danish() {
    for text in [
        "\u{feff}Mail;Årsag;Liste\r\nanna@x.dk;barsel;sort\r\nbo@x.dk;;hvid\r\n",
        "list,reason,mail\nblacklist,barsel,anna@x.dk\nwhitelist,,bo@x.dk\n",
        "Email\tTable\tDeletedReason\nanna@x.dk\tPlannerResourceBlacklist\tbarsel\nbo@x.dk\tPlannerResourceWhitelist\t\n",
    ] {
        let lists = read_text(text);
        assert_eq!(
            (mails(&lists.blacklist), lists.blacklist[0].1.as_str()),
            (vec!["anna@x.dk"], "barsel"),
            "{text}"
        );
        assert_eq!(mails(&lists.whitelist), ["bo@x.dk"], "{text}");
        assert!(lists.invalid.is_empty(), "{text}");
    }
}

#[test]
fn danish_letters_come_through_in_every_encoding() {
    let text = "blacklist;søren.ågård@kommune.dk;på barsel til næste år\n";
    let windows: Vec<u8> = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let mut utf16 = vec![0xff, 0xfe];
    utf16.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for bytes in [text.as_bytes(), &windows, &utf16, &marked] {
        let lists = read(bytes, Reading::default()).unwrap();
        assert_eq!(lists.blacklist.len(), 1, "{:?}", lists.invalid);
        assert_eq!(lists.blacklist[0].0.as_str(), "søren.ågård@kommune.dk");
        assert_eq!(lists.blacklist[0].1, "på barsel til næste år");
    }
}

#[test]
fn one_list_for_the_whole_file_and_one_reason_for_all() {
    let black = Reading { list: Some(ListName::Blacklist), reason: Some("from the old system") };
    let lists = read(b"anna@x.dk\nbo@x.dk;own reason\n", black).unwrap();
    assert_eq!(mails(&lists.blacklist), ["anna@x.dk", "bo@x.dk"]);
    assert_eq!(
        (lists.blacklist[0].1.as_str(), lists.blacklist[1].1.as_str()),
        ("from the old system", "own reason")
    );
    let lists =
        read(b"Mail\nanna@x.dk\n", Reading { list: Some(ListName::Whitelist), reason: None }).unwrap();
    assert_eq!(mails(&lists.whitelist), ["anna@x.dk"]);
}

#[test]
fn each_row_that_cannot_be_used_is_told_with_its_line() {
    let text = "list;mail;reason\nblacklist;anna@x.dk;ok\ngreylist;bo@x.dk;x\n\nblacklist;bo@x.dk\nwhitelist;no address;\n\
                ;carl@x.dk;x\nwhitelist;;\nwhitelist;ANNA@x.dk\nwhitelist;anna@x.dk;again\n";
    let lists = read_text(text);
    let told: Vec<String> = lists.invalid.iter().map(|row| format!("{}: {}", row.line, row.reason)).collect();
    assert_eq!(
        told,
        [
            "3: \"greylist\" is no list; write whitelist or blacklist",
            "5: bo@x.dk is to be blocked without a reason; add one, or give --reason for all",
            "6: \"no address\" cannot be used: not a mail address that Planner takes: there is no @",
            "7: it names no list; write whitelist or blacklist, or give --list",
            "8: it has no address",
        ]
    );
    assert_eq!((lists.blacklist.len(), lists.whitelist.len(), lists.repeated), (1, 1, 1));
}

#[test]
fn what_is_no_file_of_rows_is_refused() {
    let told = |bytes: &[u8]| read(bytes, Reading::default()).unwrap_err();
    assert_eq!(told(b""), ListsFileError::Empty);
    assert_eq!(told(b"\n \n"), ListsFileError::Empty);
    assert_eq!(told(b"a\0b@x"), ListsFileError::NotText);
    assert_eq!(told(b"name;phone\nanna;1234\n"), ListsFileError::NoAddress);
    let long = "whitelist;a@x.dk\n".repeat(ROWS_MAX + 1);
    assert_eq!(told(long.as_bytes()), ListsFileError::TooManyRows);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "(\\PC|[;,\"\n@]){0,80}") {
        let _either = (read(&bytes, Reading::default()), read(text.as_bytes(), Reading::default()));
    }
}
