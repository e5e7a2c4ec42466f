//! Why a command was refused or failed, with the next step.

texts! {
    ERROR = "refusals.error" { en "error" da "fejl" }
    /// A command and why it failed.
    COMMAND_FAILED = "refusals.command_failed" { en "{command} failed" da "{command} mislykkedes" }

    STORE = "refusals.store" {
        en "the database cannot be used (is it running, and is database.url right?)"
        da "databasen kan ikke bruges (kører den, og er database.url rigtig?)"
    }
    NO_DATABASE = "refusals.no_database" {
        en "there is no database in {folder} yet: make it with `kommuneklient migrate`"
        da "der er endnu ingen database i {folder}: opret den med `kommuneklient migrate`"
    }
    SCHEMA = "refusals.schema" {
        en "the database has no tables of this version; bring it up to date with `kommuneklient migrate` (the service does that at its start only where database.migrate is true)"
        da "databasen har ingen tabeller til denne version; bring den ajour med `kommuneklient migrate` (tjenesten gør det kun selv ved start, hvis database.migrate er true)"
    }
    UNKNOWN_MAILBOX = "refusals.unknown_mailbox" {
        en "Planner never listed {mail}; `kommuneklient resources list` shows whom it lists, `kommuneklient resources refresh --wait` asks for its list now"
        da "Planner har aldrig haft {mail} på listen; `kommuneklient resources list` viser, hvem der er på den, `kommuneklient resources refresh --wait` henter listen nu"
    }
    BLOCKED = "refusals.blocked" {
        en "{mail} is blocked ({reason}), by {by} {at}; `kommuneklient mailbox unblock {mail}` ends that"
        da "{mail} er spærret ({reason}), af {by} {at}; `kommuneklient mailbox unblock {mail}` ophæver det"
    }
    /// Whoever was blocked before the list named them, or erased meanwhile, is no resource here.
    BLOCKED_UNLISTED = "refusals.blocked_unlisted" {
        en "{mail} is blocked ({reason}), by {by} {at}, and nothing else is known of it: the resource list passes over whoever is blocked; `kommuneklient mailbox unblock {mail}` ends the block"
        da "{mail} er spærret ({reason}), af {by} {at}, og ellers er intet kendt om den: ressourcelisten springer spærrede over; `kommuneklient mailbox unblock {mail}` ophæver spærringen"
    }
    NOT_IN_USE = "refusals.not_in_use" {
        en "{mail} has not been in use since {since} ({reason}); nothing is done for it until it is used again: `kommuneklient resources refresh --wait` brings it back if Planner lists it"
        da "{mail} har ikke været i brug siden {since} ({reason}); der gøres intet for den, før den bruges igen: `kommuneklient resources refresh --wait` bringer den tilbage, hvis Planner har den på listen"
    }
    NOT_IN_USE_WHITELIST = "refusals.not_in_use_whitelist" {
        en "{mail} has not been in use since {since} ({reason}); nothing is done for it until the whitelist names it: `kommuneklient mailbox allow {mail}`"
        da "{mail} har ikke været i brug siden {since} ({reason}); der gøres intet for den, før hvidlisten nævner den: `kommuneklient mailbox allow {mail}`"
    }
    NOT_IN_USE_PLANNER = "refusals.not_in_use_planner" {
        en "{mail} has not been in use since {since} ({reason}); nothing is done for it until Planner lists it: set the employee up there again, then `kommuneklient resources refresh --wait`"
        da "{mail} har ikke været i brug siden {since} ({reason}); der gøres intet for den, før Planner har den på listen: opret medarbejderen der igen, og derefter `kommuneklient resources refresh --wait`"
    }
    NOBODY_IN_USE = "refusals.nobody_in_use" {
        en "operation {id} comes to nothing: no mailbox is in use; `kommuneklient resources list` shows whom Planner lists"
        da "operation {id} fører ikke til noget: ingen postkasse er i brug; `kommuneklient resources list` viser, hvem Planner har på listen"
    }
    CAME_TO_NOTHING = "refusals.came_to_nothing" {
        en "operation {id} comes to nothing: {why}" da "operation {id} fører ikke til noget: {why}"
    }
    NOT_SURE = "refusals.not_sure" {
        en "nothing was changed: {consequence}; add --yes if that is meant"
        da "intet blev ændret: {consequence}; tilføj --yes, hvis det er meningen"
    }
    GO_ON = "refusals.go_on" { en "{consequence}. Go on? [y/N] " da "{consequence}. Fortsæt? [j/N] " }
    WOULD_EMPTY_WHITELIST = "refusals.would_empty_whitelist" {
        en "the whitelist would be empty, and so everybody be used ({resources} not used now)"
        da "hvidlisten ville blive tom, og så ville alle blive brugt ({resources}, der ikke bruges nu)"
    }
    WOULD_NOT_BE_USED = "refusals.would_not_be_used" {
        en "{n} of {resources} would not be used any more (their appointments stay in Planner)"
        da "{n} af {resources} ville ikke blive brugt mere (deres aftaler bliver stående i Planner)"
    }
    WOULD_ERASE = "refusals.would_erase" {
        en "everything that is stored of {mail} would be removed, and it would not be listed again"
        da "alt, der er gemt om {mail}, ville blive fjernet, og den ville ikke komme på listen igen"
    }
    UNKNOWN_OPERATION = "refusals.unknown_operation" {
        en "there is no operation {id}; `kommuneklient operations` shows the latest"
        da "der er ingen operation {id}; `kommuneklient operations` viser de seneste"
    }
    UNKNOWN_RUN = "refusals.unknown_run" {
        en "there is no withheld run {run}; `kommuneklient withheld list --settled` shows them"
        da "der er ingen tilbageholdt kørsel {run}; `kommuneklient withheld list --settled` viser dem"
    }
    SETTLED = "refusals.settled" {
        en "run {run} does not wait any more, it is {state}" da "kørsel {run} venter ikke mere, den er {state}"
    }
    SETTLED_BY_RUN = "refusals.settled_by_run" {
        en "run {run} does not wait any more, it is {state} by run {successor}; `kommuneklient withheld show {successor}` shows that one"
        da "kørsel {run} venter ikke mere, den er {state} af kørsel {successor}; `kommuneklient withheld show {successor}` viser den"
    }
    READ_FILE = "refusals.read_file" { en "cannot read {file}" da "{file} kan ikke læses" }
    LISTS_FILE = "refusals.lists_file" {
        en "{file} cannot be taken over: {why}" da "{file} kan ikke overtages: {why}"
    }
    FILE_NOT_TEXT = "refusals.file_not_text" {
        en "it is no text in UTF-8, UTF-16 or Windows-1252" da "det er ikke tekst i UTF-8, UTF-16 eller Windows-1252"
    }
    FILE_EMPTY = "refusals.file_empty" {
        en "it holds no rows; write one a line: blacklist;anna@kommune.dk;has left"
        da "den har ingen rækker; skriv en pr. linje: blacklist;anna@kommune.dk;er fratrådt"
    }
    FILE_NO_ADDRESS = "refusals.file_no_address" {
        en "its headings name no column of addresses; name one mail (others: list, reason)"
        da "dens overskrifter nævner ingen kolonne med adresser; kald en af dem mail (andre: liste, årsag)"
    }
    FILE_TOO_MANY_ROWS = "refusals.file_too_many_rows" {
        en "it has more than {n} rows" da "den har mere end {n} rækker"
    }
    INVALID_ROWS = "refusals.invalid_rows" {
        en "nothing was changed: {rows} cannot be used; correct the file, or give --skip-invalid to leave out what cannot be used:"
        da "intet blev ændret: {rows} kan ikke bruges; ret filen, eller angiv --skip-invalid for at udelade det, der ikke kan bruges:"
    }
    ROWS_WOULD_REFUSE = "refusals.rows_would_refuse" {
        en "{rows} cannot be used, so the import would be refused; correct that, or give --skip-invalid to leave them out"
        da "{rows} kan ikke bruges, så overtagelsen ville blive afvist; ret det, eller angiv --skip-invalid for at udelade dem"
    }
    ROW = "refusals.row" { en "  line {line}: {why}" da "  linje {line}: {why}" }
    MORE_ROWS = "refusals.more_rows" {
        en "  and {n} more (--json tells all)" da "  og {n} flere (--json viser alle)"
    }
    ROW_NO_LIST = "refusals.row_no_list" {
        en "it names no list; write whitelist or blacklist, or give --list"
        da "den nævner ingen liste; skriv whitelist eller blacklist, eller angiv --list"
    }
    ROW_OTHER_LIST = "refusals.row_other_list" {
        en "{text} is no list; write whitelist or blacklist" da "{text} er ingen liste; skriv whitelist eller blacklist"
    }
    ROW_NO_ADDRESS = "refusals.row_no_address" { en "it has no address" da "den har ingen adresse" }
    ROW_BAD_ADDRESS = "refusals.row_bad_address" {
        en "{text} cannot be used: {why}" da "{text} kan ikke bruges: {why}"
    }
    /// Danish for what the address itself says in English.
    BAD_ADDRESS = "refusals.bad_address" {
        en "not a mail address that Planner takes"
        da "det er ikke en mailadresse, som Planner tager imod (et @ med højst 191 tegn før og højst 64 efter, uden mellemrum og tegn som komma, semikolon, kolon og parenteser)"
    }
    ROW_NO_REASON = "refusals.row_no_reason" {
        en "{mail} is to be blocked without a reason; add one, or give --reason for all"
        da "{mail} skal spærres uden begrundelse; tilføj en, eller angiv --reason for alle"
    }
    SOME_NOT_SETTLED = "refusals.some_not_settled" {
        en "left as they were: {failed} of {of} runs" da "uændret: {failed} af {of} kørsler"
    }
    ERASED = "refusals.erased" {
        en "the data of {mail} was erased {at} by {by}; `kommuneklient erase {mail} --undo` lets it be listed again"
        da "data for {mail} blev slettet {at} af {by}; `kommuneklient erase {mail} --undo` lader den komme på listen igen"
    }
    ONE_IN_CALL = "refusals.one_in_call" {
        en "nothing was erased: {n} appointment is in a call to Planner; try again in a minute"
        da "intet blev slettet: {n} aftale er i et kald til Planner; prøv igen om et minut"
    }
    IN_CALL = "refusals.in_call" {
        en "nothing was erased: {n} appointments are in a call to Planner; try again in a minute"
        da "intet blev slettet: {n} aftaler er i et kald til Planner; prøv igen om et minut"
    }
    STILL_HELD = "refusals.still_held" {
        en "nothing was erased: Planner holds, or is to hold, {appointments} of it. Have them deleted first: `kommuneklient mailbox block {mail} --reason TEXT --withdraw`, until `kommuneklient diff {mail}` shows nothing; or leave them there with --leave-in-planner"
        da "intet blev slettet: Planner har, eller skal have, {appointments} for den. Få dem slettet først: `kommuneklient mailbox block {mail} --reason TEKST --withdraw`, til `kommuneklient diff {mail}` ikke viser noget; eller lad dem stå der med --leave-in-planner"
    }
    LAST_ON_WHITELIST = "refusals.last_on_whitelist" {
        en "nothing was erased: {mail} is the last on the whitelist, which would be empty, and so everybody be used. Put somebody else on it first (`kommuneklient whitelist add`); or, if everybody is to be used, open it first: `kommuneklient whitelist remove {mail} --yes`"
        da "intet blev slettet: {mail} er den sidste på hvidlisten, som ville blive tom, og så ville alle blive brugt. Sæt først en anden på den (`kommuneklient whitelist add`); eller, hvis alle skal bruges, så åbn den først: `kommuneklient whitelist remove {mail} --yes`"
    }
    NOTHING_KNOWN = "refusals.nothing_known" {
        en "nothing was erased: {mail} is not known here, check the spelling (`kommuneklient mailbox list`); --even-if-unknown erases it all the same, so that it is never listed"
        da "intet blev slettet: {mail} er ikke kendt her, se efter stavefejl (`kommuneklient mailbox list`); --even-if-unknown sletter den alligevel, så den aldrig kommer på listen"
    }
    NOT_REDISCOVERED = "refusals.not_rediscovered" {
        en "listener.deactivate_solving_of_group_affinity is true: mailboxes keep their stored places; set it to false and start the service anew"
        da "listener.deactivate_solving_of_group_affinity er true: postkasser beholder deres gemte placering; sæt den til false, og start tjenesten igen"
    }
    DRY_RUN = "refusals.dry_run" {
        en "planner.dry_run is true: nothing is sent, so nothing can be sent again; `kommuneklient diff` shows what would be"
        da "planner.dry_run er true: intet sendes, så intet kan sendes igen; `kommuneklient diff` viser, hvad der ville blive sendt"
    }
    DRY_RUN_RUNNING = "refusals.dry_run_running" {
        en "the instances that run were started with planner.dry_run, which this configuration does not set: nothing is sent, so nothing can be sent again; restart them to send"
        da "de instanser, der kører, er startet med planner.dry_run, som denne konfiguration ikke sætter: intet sendes, så intet kan sendes igen; genstart dem for at sende"
    }
    STEP_FAILS = "refusals.step_fails" {
        en "{n} of the steps fails, see above" da "{n} af trinene fejler, se ovenfor"
    }
    STEPS_FAIL = "refusals.steps_fail" {
        en "{n} of the steps fail, see above" da "{n} af trinene fejler, se ovenfor"
    }
    NOTHING_RUNS = "refusals.nothing_runs" {
        en "no instance of the service is running; start it: kommuneklient run"
        da "ingen instans af tjenesten kører; start den: kommuneklient run"
    }
    NOTHING_SET_ASIDE = "refusals.nothing_set_aside" {
        en "nothing of that is set aside (`kommuneklient set-aside list` shows what is); what Planner refused is sent when its decision changes or a comparison says so"
        da "intet af det er lagt til side (`kommuneklient set-aside list` viser, hvad der er); det, Planner afviste, sendes, når afgørelsen ændrer sig, eller en sammenligning siger det"
    }
    TIMED_OUT = "refusals.timed_out" {
        en "operation {id} is not done after {waited}s ({done} of {of}); it goes on, `kommuneklient operations {id}` shows it"
        da "operation {id} er ikke udført efter {waited}s ({done} af {of}); den fortsætter, `kommuneklient operations {id}` viser den"
    }
}
