//! Words of ours for why a mailbox is not used or not listened to: what they say, and what they mean.

texts! {
    WITH_CODE = "why.with_code" { en "{words} ({code})" da "{words} ({code})" }

    NON_WHITELIST = "why.non_whitelist" { en "not on the whitelist" da "ikke på hvidlisten" }
    NON_WHITELIST_MEANS = "why.non_whitelist.means" {
        en "the whitelist has entries, and the mailbox is none of them, so it is not used; `kommuneklient mailbox allow MAILBOX` puts it there"
        da "hvidlisten har linjer, og postkassen er ikke på den, så den bruges ikke; `kommuneklient mailbox allow POSTKASSE` sætter den på"
    }
    NOT_IN_PLANNER = "why.not_in_planner" {
        en "no longer on Planner's list" da "ikke længere på Planners liste"
    }
    NOT_IN_PLANNER_MEANS = "why.not_in_planner.means" {
        en "the last list of Planner did not name the mailbox, so it is not used; when the employee is set up there again, `kommuneklient resources refresh` brings it back"
        da "Planners seneste liste nævnte ikke postkassen, så den bruges ikke; når medarbejderen er oprettet der igen, bringer `kommuneklient resources refresh` den tilbage"
    }
    NOT_COVERED = "why.not_covered" {
        en "no service account covers it" da "ingen servicekonto dækker den"
    }
    NOT_COVERED_MEANS = "why.not_covered.means" {
        en "there is no service account, or each carries as many affinity groups as it may, so the mailbox is not listened to; `kommuneklient credential list` shows the accounts and their room, `kommuneklient credential add` adds one"
        da "der er ingen servicekonto, eller hver bærer så mange affinitetsgrupper, som den må, så der lyttes ikke til postkassen; `kommuneklient credential list` viser kontiene og deres plads, `kommuneklient credential add` tilføjer en"
    }
    NOT_SOLVED = "why.not_solved" {
        en "its place is not known, and may not be asked for" da "dens placering er ukendt, og der må ikke spørges"
    }
    NOT_SOLVED_MEANS = "why.not_solved.means" {
        en "the mailbox was never located, and listener.deactivate_solving_of_group_affinity forbids to ask for its place, so it is not listened to; set that to false and start the service anew"
        da "postkassen er aldrig lokaliseret, og listener.deactivate_solving_of_group_affinity forbyder at spørge efter dens placering, så der lyttes ikke til den; sæt den til false, og start tjenesten igen"
    }

    TROUBLE_NOT_COVERED = "why.trouble.not_covered" {
        en "no service account covers it (kommuneklient credential list shows the accounts and their room)"
        da "ingen servicekonto dækker den (kommuneklient credential list viser kontiene og deres plads)"
    }
    TROUBLE_NOT_SOLVED = "why.trouble.not_solved" {
        en "its address is not known, and listener.deactivate_solving_of_group_affinity forbids to ask for it"
        da "dens adresse er ukendt, og listener.deactivate_solving_of_group_affinity forbyder at spørge efter den"
    }
    TROUBLE_NO_MAILBOX = "why.trouble.no_mailbox" {
        en "Exchange has no such mailbox" da "Exchange har ingen sådan postkasse"
    }
    TROUBLE_DENIED = "why.trouble.denied" {
        en "the service account may not read it" da "servicekontoen må ikke læse den"
    }
    TROUBLE_NO_CALENDAR = "why.trouble.no_calendar" {
        en "it has no calendar, or none that may be read" da "den har ingen kalender, eller ingen, der må læses"
    }
    TROUBLE_MOVED = "why.trouble.moved" { en "it is being moved" da "den er ved at blive flyttet" }
    TROUBLE_AWAY = "why.trouble.away" { en "its database is away" da "dens database er utilgængelig" }

    /// The stream of the whole group, not the mailbox alone.
    TROUBLE_STREAM = "why.trouble.stream" {
        en "the stream of group {group} is not open: {why}" da "strømmen for gruppe {group} er ikke åben: {why}"
    }
    TROUBLE_STREAM_FAILS = "why.trouble.stream_fails" {
        en "the stream of group {group} fails" da "strømmen for gruppe {group} fejler"
    }

    UNKNOWN = "why.unknown" {
        en "{word} is neither the number of an event nor one of the words {words}; `kommuneklient codes` lists the numbers"
        da "{word} er hverken nummeret på en hændelse eller et af ordene {words}; `kommuneklient codes` viser numrene"
    }
}
