//! Goal: who asks is told who owns what now, and what there is no more is left out.

use super::*;
use crate::testing::database;

#[tokio::test]
async fn owners_are_told_and_what_is_gone_is_left_out() {
    let database = database().await;
    let store = &database.store;
    let nothing = Sought::default();
    assert_eq!(store.homes(&nothing).await.unwrap(), Homes::default());
    let client = store.client("test").await.unwrap();
    client
        .batch_execute(
            "insert into store_state (name, value) values ('qualifier_shards', '3');
             insert into lease (key, owner, token, expires_at) values
                 ('listener', 'one', 1, now() + interval '1 h'), ('affinity-group/1', 'two', 1, now() + interval '1 h'),
                 ('affinity-group/2', 'two', 1, now() - interval '1 s'), ('qualifier/0', 'one', 1, now() + interval '1 h'),
                 ('qualifier/2', '', 1, '-infinity'), ('qualifier/7', 'one', 1, now() + interval '1 h'),
                 ('communicator/comparison', 'two', 1, now() + interval '1 h'),
                 ('communicator/planner-batcher', 'two', 1, now() - interval '1 s'), ('housekeeping', '', 1, '-infinity');
             insert into subscription (endpoint, grouping_value, ordinal) values ('https://ex', 'g', 0), ('https://ex', 'g', 1);
             insert into service_user_credential (user_name) values ('svc');
             insert into planner_resource (mail, bucket, name, rid, is_case_worker, deleted_date) values
                 ('a@x.dk', 1, 'a', '1', true, null), ('b@x.dk', 1, 'b', '2', true, null), ('c@x.dk', 1, 'c', '3', true, now());
             insert into planner_resource_subscription (mail, subscription_id) values ('a@x.dk', 1);",
        )
        .await
        .unwrap();
    let sought = Sought {
        groups: vec![1, 2, 3],
        accounts: vec![1, 2],
        mailboxes: ["a@x.dk", "b@x.dk", "c@x.dk", "d@x.dk"].map(str::to_owned).into(),
    };
    let homes = store.homes(&sought).await.unwrap();
    let name = |name: &str| Some(name.to_owned());
    assert_eq!(homes.groups.into_iter().collect::<Vec<_>>(), [(1, name("two")), (2, None)]);
    assert_eq!(homes.accounts.into_iter().collect::<Vec<_>>(), [1]);
    let heard = MailboxHome { group: Some(1), owner: name("two") };
    assert_eq!(
        homes.mailboxes.into_iter().collect::<Vec<_>>(),
        [("a@x.dk".to_owned(), heard), ("b@x.dk".to_owned(), MailboxHome::default())]
    );
    assert_eq!(homes.shards, Some(vec![name("one"), None, None]));
    assert_eq!(homes.listener, name("one"));
    let duties: Vec<(&str, &str)> = homes.duties.iter().map(|(key, owner)| (&**key, &**owner)).collect();
    assert_eq!(duties, [("communicator/comparison", "two"), ("listener", "one")]);
}
