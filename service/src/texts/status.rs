//! `kommuneklient status`.

texts! {
    WELL = "status.well" { en "all is well" da "alt er i orden" }
    NOT_WELL = "status.not_well" { en "to be looked at:" da "bør undersøges:" }
    NEXT = "status.next" { en "next" da "næste trin" }
    NOTES = "status.notes" { en "good to know:" da "værd at vide:" }

    ALERTS = "status.alerts" { en "ALERTS NOW" da "ALARMER NU" }
    MEANING = "status.meaning" { en "MEANING" da "BETYDNING" }
    CRITICAL_HEADING = "status.critical_heading" { en "CRITICAL" da "KRITISK" }
    CRITICAL = "status.critical" { en "critical" da "kritisk" }
    ABOUT = "status.about" { en "ABOUT" da "OM" }
    ABOUT_GROUP = "status.about.group" { en "group {name}" da "gruppe {name}" }
    ABOUT_ACCOUNT = "status.about.account" { en "account {name}" da "konto {name}" }
    ABOUT_SHARD = "status.about.shard" { en "shard {name}" da "del {name}" }
    OTHERS = "status.about.others" { en "others" da "andre" }
    AND_MORE = "status.about.more" { en "and {count} more" da "og {count} flere" }

    STAGES = "status.stages" { en "STAGES" da "LED" }
    STAGE = "status.stage" { en "STAGE" da "LED" }
    STATE = "status.state" { en "STATE" da "TILSTAND" }
    OWNERS = "status.owners" { en "BY" da "AF" }
    LISTENER = "status.listener" { en "listener" da "lytter" }
    QUALIFIER = "status.qualifier" { en "qualifier" da "vurdering" }
    COMMUNICATOR = "status.communicator" { en "communicator" da "kommunikation" }
    RUNS = "status.runs" { en "runs" da "kører" }
    RUNS_PARTLY = "status.runs_partly" { en "runs partly: {missing} is nobody's" da "kører delvist: ingen har {missing}" }
    RUN_PARTLY = "status.run_partly" { en "runs partly: {missing} are nobody's" da "kører delvist: ingen har {missing}" }
    RUNS_SHARDS = "status.runs_shards" {
        en "runs partly: {count} of {all} shards are nobody's"
        da "kører delvist: ingen har {count} af {all} dele"
    }
    STANDS_STILL = "status.stands_still" { en "stands still" da "står stille" }

    INSTANCES = "status.instances" { en "INSTANCES" da "INSTANSER" }
    INSTANCE = "status.instance" { en "INSTANCE" da "INSTANS" }
    ROLES = "status.roles" { en "ROLES" da "ROLLER" }
    VERSION = "status.version" { en "VERSION" da "VERSION" }
    SINCE = "status.since" { en "SINCE" da "SIDEN" }
    LEASES = "status.leases" { en "OWNS" da "EJER" }
    ALIVE = "status.alive" { en "alive" da "i live" }
    ALIVE_SEEN = "status.alive_seen" { en "alive, last seen {age} ago" da "i live, sidst set for {age} siden" }
    SILENT_SEEN = "status.silent_seen" { en "silent, last seen {age} ago" da "tavs, sidst set for {age} siden" }
    GONE = "status.gone" { en "gone" da "væk" }
    GONE_SEEN = "status.gone_seen" { en "gone, last seen {age} ago" da "væk, sidst set for {age} siden" }
    NO_INSTANCE = "status.no_instance" { en "no instance has registered" da "ingen instans har meldt sig" }

    GROUPS = "status.groups" { en "AFFINITY GROUPS" da "AFFINITETSGRUPPER" }
    GROUP = "status.group" { en "GROUP" da "GRUPPE" }
    ENDPOINT = "status.endpoint" { en "EXCHANGE" da "EXCHANGE" }
    ACCOUNT = "status.account" { en "ACCOUNT" da "KONTO" }
    MAILBOXES = "status.mailboxes" { en "MAILBOXES" da "POSTKASSER" }
    SUBSCRIBED = "status.subscribed" { en "SUBSCRIBED" da "MED ABONNEMENT" }
    FAILING = "status.failing" { en "FAILING" da "FEJLENDE" }
    STREAM = "status.stream" { en "STREAM" da "STRØM" }
    STREAM_OWNED = "status.stream.owned" { en "owned" da "ejet" }
    STREAM_FAILS = "status.stream.fails" { en "fails ({codes})" da "fejler ({codes})" }
    STREAM_FAILS_STATE = "status.stream.fails_since" { en "fails ({codes}), {state}" da "fejler ({codes}), {state}" }
    STREAM_NOBODY = "status.stream.nobody" { en "nobody's" da "ingens" }
    NO_GROUP = "status.no_group" { en "there is no affinity group yet" da "der er endnu ingen affinitetsgruppe" }

    ACCOUNTS = "status.accounts" { en "SERVICE ACCOUNTS" da "SERVICEKONTI" }
    GROUPS_OF = "status.groups_of" { en "GROUPS" da "GRUPPER" }
    WAITS = "status.waits" { en "WAITS" da "VENTER" }
    OF_CONFIGURATION = "status.of_configuration" { en "(configuration)" da "(konfiguration)" }
    /// The same within a sentence, or among other accounts.
    ABOUT_CONFIGURED = "status.about.configured" {
        en "account of the configuration" da "konfigurationens konto"
    }
    WAITS_BUSY = "status.waits_busy" { en "busy" da "optaget" }
    WAITS_REFUSED = "status.waits_refused" { en "refused" da "afvist" }
    WAITS_UNTIL = "status.waits_until" { en "{why}, until {until}" da "{why}, til {until}" }

    QUEUES = "status.queues" { en "QUEUES" da "KØER" }
    NOTIFICATIONS = "status.notifications" { en "notifications waiting" da "notifikationer, der venter" }
    NOTIFICATIONS_ASIDE = "status.notifications_aside" {
        en "notifications set aside" da "notifikationer lagt til side"
    }
    UNSENT = "status.unsent" { en "changes not sent yet" da "ændringer, der ikke er sendt" }
    OLDEST_UNSENT = "status.oldest_unsent" { en "oldest unsent change" da "ældste usendte ændring" }
    OLDEST_IS = "status.oldest_is" {
        en "{age}, of {mailbox}; waits for {hold}" da "{age}, for {mailbox}; venter på {hold}"
    }
    NONE = "status.none" { en "none" da "ingen" }
    OLDEST = "status.oldest" { en "{count}, the oldest for {age}" da "{count}, den ældste i {age}" }
    KEYS_ASIDE = "status.keys_aside" { en "appointments set aside" da "aftaler lagt til side" }
    KEYS_REFUSED = "status.keys_refused" { en "appointments refused by Planner" da "aftaler afvist af Planner" }
    WITHHELD = "status.withheld" { en "withheld runs to decide" da "tilbageholdte kørsler, der skal afgøres" }
    WITHDRAWN = "status.withdrawn" {
        en "deletions of withdrawn mailboxes to send" da "sletninger for tilbagetrukne postkasser, der skal sendes"
    }
    IN_CALLS = "status.in_calls" { en "appointments in calls now" da "aftaler i kald nu" }

    RESOURCES = "status.resources" { en "RESOURCES" da "RESSOURCER" }
    IN_USE = "status.in_use" { en "in use" da "i brug" }
    RESOURCES_FAILING = "status.resources_failing" {
        en "cannot be listened to" da "kan ikke lyttes til"
    }
    NOT_ADOPTED = "status.not_adopted" {
        en "not adopted or not read in full yet" da "endnu ikke overtaget eller læst helt"
    }
    NOT_COVERED = "status.not_covered" { en "not covered by any account" da "dækkes ikke af nogen konto" }
    LIST_FETCHED = "status.list_fetched" { en "resource list fetched" da "ressourcelisten hentet" }
    FULL_PULL = "status.full_pull" { en "each was read in full since" da "alle er læst helt siden" }
    COMPARISON = "status.comparison" { en "each was compared with Planner since" da "alle er sammenlignet med Planner siden" }
    NEVER = "status.never" { en "never" da "aldrig" }

    BUDGET = "status.budget" { en "CALLS TO PLANNER IN THE LAST MINUTE" da "KALD TIL PLANNER I DET SIDSTE MINUT" }
    CALLS = "status.calls" { en "calls" da "kald" }
    EVENTS = "status.events" { en "appointments sent" da "sendte aftaler" }
    IN_FLIGHT = "status.in_flight" { en "calls under way" da "igangværende kald" }
    CALLS_FAILED = "status.calls_failed" { en "calls that failed" da "fejlede kald" }
    OF_LIMIT = "status.of_limit" { en "{count} of {limit}" da "{count} af {limit}" }
    UNLIMITED = "status.unlimited" { en "{count}, no limit" da "{count}, ingen grænse" }

    RAISED = "status.raised" { en "WARNINGS AND ERRORS OF THE LAST HOUR" da "ADVARSLER OG FEJL I DEN SIDSTE TIME" }
    CODE = "status.code" { en "CODE" da "KODE" }
    SEVERITY = "status.severity" { en "SEVERITY" da "ALVOR" }
    TIMES = "status.times" { en "TIMES" da "GANGE" }
    LAST = "status.last" { en "LAST" da "SENEST" }

    R_NOBODY_RUNS = "status.r.nobody_runs" {
        en "no instance of the service is running" da "ingen instans af tjenesten kører"
    }
    R_NOBODY_RUNS_NEXT = "status.r.nobody_runs.next" {
        en "start it: kommuneklient run" da "start den: kommuneklient run"
    }
    R_ALERT = "status.r.alert" {
        en "alert {code} since {since}: {meaning}{subjects}" da "alarm {code} siden {since}: {meaning}{subjects}"
    }
    R_ALERT_NEXT = "status.r.alert.next" { en "kommuneklient codes {code}" da "kommuneklient codes {code}" }
    R_STAGE = "status.r.stage" { en "the {stage} stands still" da "leddet {stage} står stille" }
    R_STAGE_NEXT = "status.r.stage.next" {
        en "look into the log of an instance with that role: it says what it waits for"
        da "se i loggen for en instans med den rolle: der står, hvad den venter på"
    }
    R_STAGE_ACCOUNT_NEXT = "status.r.stage.account.next" {
        en "it waits for a service account: kommuneklient credential add USER"
        da "det venter på en servicekonto: kommuneklient credential add BRUGER"
    }
    R_STAGE_START_NEXT = "status.r.stage.start.next" {
        en "no instance with the role {role} runs; start one: kommuneklient run --roles {role}"
        da "ingen instans med rollen {role} kører; start en: kommuneklient run --roles {role}"
    }
    R_PART = "status.r.part" { en "nobody does this work: {parts}" da "ingen udfører dette arbejde: {parts}" }
    R_PART_NEXT = "status.r.part.next" {
        en "look into the log of an instance with that role; with planner.dry_run nothing is sent by that instance"
        da "se i loggen for en instans med den rolle; med planner.dry_run sender den instans intet"
    }
    R_SHARDS = "status.r.shards" {
        en "{count} of {all} shards of the qualifier are nobody's: nothing is decided about their mailboxes"
        da "ingen har {count} af vurderingens {all} dele: der afgøres intet om deres postkasser"
    }
    R_SHARDS_SINCE = "status.r.shards_since" {
        en "{count} of {all} shards of the qualifier are nobody's, the first since {since}: nothing is decided about their mailboxes"
        da "ingen har {count} af vurderingens {all} dele, den første siden {since}: der afgøres intet om deres postkasser"
    }
    R_SHARDS_NEXT = "status.r.shards.next" {
        en "instances with the role qualify take them within seconds; if not, look into the log of one: it says what it waits for"
        da "instanser med rollen qualify overtager dem inden for sekunder; sker det ikke, så se i loggen for en af dem: der står, hvad den venter på"
    }
    R_SILENT = "status.r.silent" {
        en "instance {instance} was last seen {age} ago: it has died, is paused or does not reach the database"
        da "instansen {instance} blev sidst set for {age} siden: den er død, sat på pause eller kan ikke nå databasen"
    }
    R_SILENT_NEXT = "status.r.silent.next" {
        en "see whether its process runs; the others take over what it owns when its leases run out (leases.ttl)"
        da "se, om dens proces kører; de andre overtager det, den ejer, når dens leases udløber (leases.ttl)"
    }
    N_GONE = "status.n.gone" {
        en "instance {instance} ended without a word; it was last seen at {at}"
        da "instansen {instance} sluttede uden varsel; den blev sidst set {at}"
    }
    N_GONE_TAKEN_OVER = "status.n.gone_taken_over" {
        en "instance {instance} ended without a word, it was last seen at {at}; its work was taken over"
        da "instansen {instance} sluttede uden varsel, den blev sidst set {at}; dens arbejde er overtaget"
    }
    N_GONE_NEXT = "status.n.gone.next" {
        en "the end of its log may say why; nothing else is to be done"
        da "slutningen af dens log siger måske hvorfor; der skal ikke gøres andet"
    }
    R_NO_LIST = "status.r.no_list" {
        en "the resource list was never fetched" da "ressourcelisten er aldrig hentet"
    }
    R_NO_LIST_NEXT = "status.r.no_list.next" {
        en "kommuneklient doctor says whether Planner can be reached"
        da "kommuneklient doctor siger, om Planner kan nås"
    }
    R_LATE = "status.r.late" {
        en "the oldest unsent change has waited for {age}" da "den ældste usendte ændring har ventet i {age}"
    }
    R_LATE_NEXT = "status.r.late.next" {
        en "kommuneklient explain {mailbox}" da "kommuneklient explain {mailbox}"
    }
    R_SLOW = "status.r.slow" {
        en "the oldest notification has waited for {age}" da "den ældste notifikation har ventet i {age}"
    }
    R_SLOW_NEXT = "status.r.slow.next" {
        en "look whether Exchange can be reached: kommuneklient credential test"
        da "se, om Exchange kan nås: kommuneklient credential test"
    }
    R_NOT_OPEN = "status.r.not_open" {
        en "the stream of group {group} has not been open for {age}: {reason}"
        da "strømmen for gruppe {group} har ikke været åben i {age}: {reason}"
    }
    R_NOT_OPEN_NEXT = "status.r.not_open.next" {
        en "look whether Exchange can be reached: kommuneklient credential test"
        da "se, om Exchange kan nås: kommuneklient credential test"
    }
    R_FAILING = "status.r.failing" {
        en "mailboxes that cannot be listened to: {count}" da "postkasser, der ikke kan lyttes til: {count}"
    }
    R_FAILING_NEXT = "status.r.failing.next" {
        en "kommuneklient mailbox list --failing, then kommuneklient doctor MAILBOX"
        da "kommuneklient mailbox list --failing, derefter kommuneklient doctor MAILBOX"
    }
    R_NOT_COVERED = "status.r.not_covered" {
        en "mailboxes that no service account covers: {count}"
        da "postkasser, som ingen servicekonto dækker: {count}"
    }
    R_NOT_COVERED_NEXT = "status.r.not_covered.next" {
        en "kommuneklient credential add USER" da "kommuneklient credential add BRUGER"
    }
    R_ACCOUNT_WAITS = "status.r.account_waits" {
        en "Exchange holds service account {account} up: {why}" da "Exchange lader servicekonto {account} vente: {why}"
    }
    R_ACCOUNT_WAITS_NEXT = "status.r.account_waits.next" {
        en "kommuneklient credential test" da "kommuneklient credential test"
    }
    R_WITHHELD = "status.r.withheld" {
        en "withheld runs that wait for somebody who decides: {count}"
        da "tilbageholdte kørsler, der venter på nogen, der afgør dem: {count}"
    }
    R_WITHHELD_NEXT = "status.r.withheld.next" {
        en "kommuneklient withheld list" da "kommuneklient withheld list"
    }
    R_ASIDE = "status.r.aside" {
        en "notifications and appointments that were set aside: {count}"
        da "notifikationer og aftaler, der er lagt til side: {count}"
    }
    R_REFUSED = "status.r.refused" {
        en "appointments that Planner refused: {count}" da "aftaler, som Planner afviste: {count}"
    }
    R_REFUSED_NEXT = "status.r.refused.next" {
        en "kommuneklient set-aside list says with which code; they are sent again when they change or a comparison says so"
        da "kommuneklient set-aside list siger med hvilken kode; de sendes igen, når de ændrer sig, eller en sammenligning siger det"
    }
    R_ASIDE_NEXT = "status.r.aside.next" { en "kommuneklient set-aside list" da "kommuneklient set-aside list" }
    R_CALLS_FAIL = "status.r.calls_fail" {
        en "{failed} of {calls} calls to Planner failed in the last minute"
        da "{failed} af {calls} kald til Planner fejlede i det sidste minut"
    }
    R_CALLS_FAIL_NEXT = "status.r.calls_fail.next" {
        en "kommuneklient doctor; Planner's support if it lasts" da "kommuneklient doctor; Planners support, hvis det varer ved"
    }
    R_ANY_CERTIFICATE = "status.r.any_certificate" {
        en "exchange.danger_accept_invalid_certificates is set: no certificate of Exchange is verified"
        da "exchange.danger_accept_invalid_certificates er sat: Exchanges certifikater kontrolleres ikke"
    }
    R_ANY_CERTIFICATE_NEXT = "status.r.any_certificate.next" {
        en "take it out, and give the authority of Exchange in exchange.root_certificates"
        da "fjern den, og angiv Exchanges certifikatudsteder i exchange.root_certificates"
    }
    R_DRY_RUN = "status.r.dry_run" {
        en "planner.dry_run is set: nothing is sent" da "planner.dry_run er sat: intet sendes"
    }
    R_DRY_DIFFERS_NEXT = "status.r.dry_differs.next" {
        en "what runs counts; start it anew with the configuration that is meant, or give this command that of the service (--config)"
        da "det, der kører, gælder; start det igen med den rigtige konfiguration, eller giv denne kommando tjenestens (--config)"
    }
    R_DRY_RUN_NEXT = "status.r.dry_run.next" {
        en "kommuneklient diff shows what would be sent" da "kommuneklient diff viser, hvad der ville blive sendt"
    }
}
