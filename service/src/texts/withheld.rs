//! `kommuneklient withheld`.

texts! {
    NOTHING = "withheld.nothing" { en "nothing is withheld" da "intet er tilbageholdt" }
    RUN = "withheld.run" { en "RUN" da "KØRSEL" }
    OF = "withheld.of" { en "OF" da "FOR" }
    FOUND_BY = "withheld.found_by" { en "FOUND BY" da "FUNDET VED" }
    MISSING = "withheld.missing" { en "MISSING" da "MANGLER" }
    WITHHELD_AT = "withheld.at" { en "WITHHELD AT" da "TILBAGEHOLDT" }
    RESOURCE = "withheld.resource" { en "RESOURCE" da "RESSOURCE" }

    THE_LIST = "withheld.the_list" { en "resource list" da "ressourcelisten" }
    BY_FULL_READ = "withheld.by_full_read" { en "full read" da "fuld læsning" }
    BY_COMPARISON = "withheld.by_comparison" { en "comparison" da "sammenligning" }
    BY_LIST = "withheld.by_list" { en "resource list" da "ressourceliste" }

    WAITS = "withheld.waits" { en "withheld" da "tilbageholdt" }
    CONFIRMED = "withheld.confirmed" { en "confirmed" da "bekræftet" }
    REJECTED = "withheld.rejected" { en "rejected" da "afvist" }
    CANCELLED = "withheld.cancelled" { en "cancelled" da "bortfaldet" }
    REPLACED = "withheld.replaced" { en "replaced" da "afløst" }
    SETTLED_BY = "withheld.settled_by" { en "{state} by {by}" da "{state} af {by}" }
    /// Somebody made it void, by taking back all of its mailbox. What becomes void by itself is another word in Danish.
    CANCELLED_BY = "withheld.cancelled_by" { en "cancelled by {by}" da "annulleret af {by}" }
    /// By itself: what led to it.
    SETTLED_WHY = "withheld.settled_why" { en "{state}: {why}" da "{state}: {why}" }

    NOTHING_LEFT = "withheld.nothing_left" { en "nothing of it is left" da "der er intet tilbage af den" }
    NEXT_LIST = "withheld.next_list" {
        en "`kommuneklient withheld confirm {run}` stops using these, `kommuneklient withheld reject {run}` keeps them"
        da "`kommuneklient withheld confirm {run}` holder op med at bruge disse, `kommuneklient withheld reject {run}` beholder dem"
    }
    NEXT_MAILBOX = "withheld.next_mailbox" {
        en "`kommuneklient withheld confirm {run}` deletes these in Planner, `kommuneklient withheld reject {run}` keeps them"
        da "`kommuneklient withheld confirm {run}` sletter disse i Planner, `kommuneklient withheld reject {run}` beholder dem"
    }

    LEFT = "withheld.left" { en "run {run} is left as it is: {error}" da "kørsel {run} er uændret: {error}" }
    LIST_CONFIRMED = "withheld.list_confirmed" {
        en "run {run} is confirmed: {count} not used any more" da "kørsel {run} er bekræftet: {count} bruges ikke mere"
    }
    MAILBOX_CONFIRMED = "withheld.mailbox_confirmed" {
        en "run {run} is confirmed: {count} to be deleted in Planner" da "kørsel {run} er bekræftet: {count} slettes i Planner"
    }
    /// Confirmed, and something keeps it from being sent now.
    WAITS_FOR = "withheld.waits_for" { en "; that waits for {hold}" da "; det venter på {hold}" }
    MAILBOX_CONFIRMED_UNUSED = "withheld.mailbox_confirmed_unused" {
        en "run {run} is confirmed, but nothing is sent while its mailbox is not in use: {count} to be deleted in Planner when it is used again"
        da "kørsel {run} er bekræftet, men der sendes intet, så længe dens postkasse ikke er i brug: {count} slettes i Planner, når den bruges igen"
    }
    LIST_REJECTED = "withheld.list_rejected" {
        en "run {run} is rejected: the resources stay in use until Planner lists them again"
        da "kørsel {run} er afvist: ressourcerne forbliver i brug, til Planner har dem på listen igen"
    }
    MAILBOX_REJECTED_ONE = "withheld.mailbox_rejected_one" {
        en "run {run} is rejected: {count} stays until deleted in the calendar, or over"
        da "kørsel {run} er afvist: {count} bliver stående, til den slettes i kalenderen eller er forbi"
    }
    MAILBOX_REJECTED = "withheld.mailbox_rejected" {
        en "run {run} is rejected: {count} stay until deleted in the calendar, or over"
        da "kørsel {run} er afvist: {count} bliver stående, til de slettes i kalenderen eller er forbi"
    }
    OPERATION = "withheld.operation" { en " (operation {id})" da " (operation {id})" }
}

/// What a run's state is called; `None` for one of a newer version.
pub(crate) fn state(name: &str) -> Option<super::Text> {
    match name {
        "withheld" => Some(WAITS),
        "confirmed" => Some(CONFIRMED),
        "rejected" => Some(REJECTED),
        "cancelled" => Some(CANCELLED),
        "replaced" => Some(REPLACED),
        _ => None,
    }
}
