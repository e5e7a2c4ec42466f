//! `kommuneklient doctor`: is the installation ready?

texts! {
    NEXT = "doctor.next" { en "next" da "næste trin" }
    OK = "doctor.ok" { en "ok" da "ok" }
    WARN = "doctor.warn" { en "look" da "se på" }
    FAIL = "doctor.fail" { en "FAILS" da "FEJLER" }
    ASK = "doctor.ask" { en "ask" da "spørg" }
    OPEN = "doctor.open" { en "open" da "åben" }
    SUMMARY = "doctor.summary" {
        en "{ok} ok, {warn} to look at, {fail}, {ask} only a person can answer, {open}"
        da "{ok} ok, {warn} at se på, {fail}, {ask} kan kun en person svare på, {open}"
    }
    ONE_FAILS = "doctor.one_fails" { en "{n} fails" da "{n} fejler" }
    MANY_FAIL = "doctor.many_fail" { en "{n} fail" da "{n} fejler" }
    ONE_OPEN = "doctor.one_open" { en "{n} open" da "{n} åben" }
    MANY_OPEN = "doctor.many_open" { en "{n} open" da "{n} åbne" }

    AGREEMENT = "doctor.agreement" { en "connection agreement" da "tilslutningsaftale" }
    AGREEMENT_ASK = "doctor.agreement.ask" {
        en "cannot be seen from here" da "kan ikke ses herfra"
    }
    AGREEMENT_NEXT = "doctor.agreement.next" {
        en "the municipality has a connection agreement with DFDG, and whoever runs this program has signed the data processing agreement"
        da "kommunen har en tilslutningsaftale med DFDG, og den, der driver programmet, har underskrevet databehandleraftalen"
    }
    ANSWERED = "doctor.answered" {
        en "Planner answered this installation, last {at}" da "Planner har svaret denne installation, senest {at}"
    }
    ORDERED = "doctor.ordered" { en "certificate ordered" da "certifikat bestilt" }
    ORDERED_OK = "doctor.ordered.ok" { en "planner.client_certificate names one" da "planner.client_certificate nævner et" }
    ORDERED_NEXT = "doctor.ordered.next" {
        en "an employee with the rights of a local registration authority orders an OCES function certificate; it holds for three years"
        da "en medarbejder med rettigheder som lokal registreringsautoritet bestiller et OCES-funktionscertifikat; det gælder i tre år"
    }
    APPROVED = "doctor.approved" { en "certificate approved by DFDG" da "certifikat godkendt af DFDG" }
    APPROVED_NEXT = "doctor.approved.next" {
        en "log on to STAR's portal with the certificate, be told that it is unknown, and send its public part to STAR; approval can take a month"
        da "log på STARs portal med certifikatet, få at vide, at det er ukendt, og send dets offentlige del til STAR; godkendelsen kan tage en måned"
    }

    ACCOUNT = "doctor.account" { en "service account" da "servicekonto" }
    ACCOUNT_DATABASE = "doctor.account.database" {
        en "{count} in the database; mailboxes listened to: {mailboxes}" da "{count} i databasen; postkasser, der lyttes til: {mailboxes}"
    }
    ACCOUNT_CONFIGURATION = "doctor.account.configuration" {
        en "exchange.user of the configuration; mailboxes listened to: {mailboxes}"
        da "exchange.user i konfigurationen; postkasser, der lyttes til: {mailboxes}"
    }
    ACCOUNT_NONE = "doctor.account.none" { en "there is none" da "der er ingen" }
    ACCOUNT_NEXT = "doctor.account.next" {
        en "have a dedicated account made that may read every calendar, then: kommuneklient credential add USER"
        da "få oprettet en særskilt konto, der må læse alle kalendere, og derefter: kommuneklient credential add BRUGER"
    }
    ACCOUNT_REFUSED = "doctor.account.refused" {
        en "Exchange refuses the name or password of a service account (9006)"
        da "Exchange afviser en servicekontos navn eller adgangskode (9006)"
    }
    ACCOUNT_REFUSED_NEXT = "doctor.account.refused.next" {
        en "kommuneklient credential test tells which; put the right password where the account came from (password_file of the configuration, then restart; or credential add --replace)"
        da "kommuneklient credential test fortæller hvilken; skriv den rigtige adgangskode dér, hvor kontoen kom fra (password_file i konfigurationen, derefter genstart; eller credential add --replace)"
    }
    ACCOUNT_CLOSED = "doctor.account.closed" {
        en "a running instance could not open the password of a service account (9602)"
        da "en kørende instans kunne ikke åbne adgangskoden til en servicekonto (9602)"
    }
    ACCOUNT_CLOSED_NEXT = "doctor.account.closed.next" {
        en "kommuneklient secrets status tells the keys; start every instance with the current one as secrets.key_file and the former ones in secrets.previous_key_files"
        da "kommuneklient secrets status viser nøglerne; start hver instans med den aktuelle som secrets.key_file og de tidligere i secrets.previous_key_files"
    }
    ACCOUNT_KEY_LACKS = "doctor.account.key_lacks" {
        en "passwords sealed under a key that this configuration lacks: {count} ({keys})"
        da "adgangskoder, der er forseglet med en nøgle, som denne konfiguration mangler: {count} ({keys})"
    }
    ACCOUNT_KEY_LACKS_NEXT = "doctor.account.key_lacks.next" {
        en "name the file with the key {keys} in secrets.key_file, or in secrets.previous_key_files beside the current one; a new key opens none of them; kommuneklient secrets status tells the keys"
        da "angiv filen med nøglen {keys} i secrets.key_file, eller i secrets.previous_key_files ved siden af den aktuelle; en ny nøgle åbner ingen af dem; kommuneklient secrets status viser nøglerne"
    }
    ACCOUNT_UNUSABLE = "doctor.account.unusable" { en "{user}: {why}" da "{user}: {why}" }
    ACCOUNT_UNUSABLE_NEXT = "doctor.account.unusable.next" {
        en "kommuneklient credential add {user} --replace; where the name is at fault, kommuneklient credential remove {user} and add another"
        da "kommuneklient credential add {user} --replace; er det navnet, der er noget galt med: kommuneklient credential remove {user}, og tilføj en anden"
    }
    ACCOUNT_NONE_OPENS = "doctor.account.none_opens" {
        en "none of them can be used: a start is refused" da "ingen af dem kan bruges: en start afvises"
    }
    ACCOUNT_TEST = "doctor.account.test" { en "kommuneklient credential test" da "kommuneklient credential test" }

    HOST = "doctor.host" { en "this machine" da "denne maskine" }
    HOST_IS = "doctor.host.is" {
        en "{cores} processors, {memory} GiB memory, {disk} GiB free on disk"
        da "{cores} processorer, {memory} GiB hukommelse, {disk} GiB ledig diskplads"
    }
    HOST_NEXT = "doctor.host.next" {
        en "the original asked for 4 processors, 8 GB memory and 50 GB disk with the database; docs/performance.md says what this one takes"
        da "originalen bad om 4 processorer, 8 GB hukommelse og 50 GB disk med databasen; docs/performance.md siger, hvad dette program bruger"
    }
    PROGRAM = "doctor.program" { en "program" da "program" }
    PROGRAM_IS = "doctor.program.is" { en "version {version}" da "version {version}" }

    CERTIFICATE = "doctor.certificate" { en "certificate installed and readable" da "certifikat installeret og læsbart" }
    CERTIFICATE_OK = "doctor.certificate.ok" {
        en "{subject} is valid until {end}, {days} days" da "{subject} gælder til {end}, {days} dage"
    }
    CERTIFICATE_RENEW = "doctor.certificate.renew" {
        en "order a new one in time (STAR's approval can take a month) and replace the files; no restart is needed"
        da "bestil et nyt i god tid (STARs godkendelse kan tage en måned), og udskift filerne; genstart er ikke nødvendig"
    }
    CERTIFICATE_NONE = "doctor.certificate.none" {
        en "planner.client_certificate is not set" da "planner.client_certificate er ikke sat"
    }
    CERTIFICATE_NONE_NEXT = "doctor.certificate.none.next" {
        en "set planner.client_certificate (and planner.client_key); without them only a simulator answers"
        da "sæt planner.client_certificate (og planner.client_key); uden dem svarer kun en simulator"
    }
    CERTIFICATE_NEEDED = "doctor.certificate.needed" {
        en "planner.client_certificate is not set, and planner.service_url is https: Planner refuses who shows no certificate"
        da "planner.client_certificate er ikke sat, og planner.service_url er https: Planner afviser den, der intet certifikat viser"
    }
    CERTIFICATE_BROKEN = "doctor.certificate.broken" { en "cannot be used: {why}" da "kan ikke bruges: {why}" }
    CERTIFICATE_NEXT = "doctor.certificate.next" {
        en "correct what is named there; the user of the service must be able to read the files; kommuneklient config check FILE tells whether they can be used"
        da "ret det, der er nævnt; tjenestens bruger skal kunne læse filerne; kommuneklient config check FIL fortæller, om de kan bruges"
    }
    CERTIFICATE_THEIRS_NEXT = "doctor.certificate.theirs.next" {
        en "it is Planner's: add its new one to the file of planner.server_pin_file or planner.answer_certificates, whichever holds it; no restart is needed"
        da "det er Planners: føj det nye til filen i planner.server_pin_file eller planner.answer_certificates, hvor det gamle står; genstart er ikke nødvendig"
    }

    DATABASE = "doctor.database" { en "database there" da "database findes" }
    DATABASE_OK = "doctor.database.ok" {
        en "PostgreSQL {version}, answers in {ms} ms" da "PostgreSQL {version}, svarer på {ms} ms"
    }
    DATABASE_AWAY = "doctor.database.away" { en "cannot be used: {why}" da "kan ikke bruges: {why}" }
    DATABASE_NOT_MADE = "doctor.database.not_made" {
        en "there is no database in {folder} yet" da "der er endnu ingen database i {folder}"
    }
    DATABASE_NOT_MADE_NEXT = "doctor.database.not_made.next" {
        en "make it with kommuneklient migrate"
        da "opret den med kommuneklient migrate"
    }
    DATABASE_NEXT = "doctor.database.next" {
        en "check that the server runs, database.url, the network and the password"
        da "kontrollér, at serveren kører, samt database.url, netværket og adgangskoden"
    }
    SCHEMA = "doctor.schema" { en "schema created" da "skema oprettet" }
    SCHEMA_OK = "doctor.schema.ok" { en "up to date" da "ajour" }
    SCHEMA_LACKS = "doctor.schema.lacks" { en "lacks {names}" da "mangler {names}" }
    SCHEMA_NEXT = "doctor.schema.next" {
        en "kommuneklient migrate, as the owner of the schema" da "kommuneklient migrate, som skemaets ejer"
    }
    RIGHTS = "doctor.rights" { en "database rights" da "databaserettigheder" }
    RIGHTS_OK = "doctor.rights.ok" {
        en "{user} may read and write all tables" da "{user} må læse og skrive i alle tabeller"
    }
    RIGHTS_NO_TABLES = "doctor.rights.no_tables" {
        en "there are no tables yet, so nothing can be said of rights on them"
        da "der er endnu ingen tabeller, så intet kan siges om rettigheder til dem"
    }
    RIGHTS_LACK = "doctor.rights.lack" {
        en "{user} may not read and write {tables}" da "{user} må ikke læse og skrive i {tables}"
    }
    RIGHTS_OWNER = "doctor.rights.owner" {
        en "{user} may read and write all tables, and owns them"
        da "{user} må læse og skrive i alle tabeller og ejer dem"
    }
    RIGHTS_NEXT = "doctor.rights.next" {
        en "let the owner of the schema grant select, insert, update and delete on them"
        da "lad skemaets ejer give select, insert, update og delete på dem"
    }
    RIGHTS_OWNER_NEXT = "doctor.rights.owner.next" {
        en "the account that runs the service is better not the one that owns the schema"
        da "den konto, der kører tjenesten, bør ikke være den, der ejer skemaet"
    }

    REGISTERED = "doctor.registered" { en "service registered" da "tjeneste registreret" }
    REGISTERED_OK = "doctor.registered.ok" { en "{where}" da "{where}" }
    REGISTERED_ASK = "doctor.registered.ask" {
        en "no systemd unit and no pod on this machine" da "ingen systemd-unit og ingen pod på denne maskine"
    }
    REGISTERED_NEXT = "doctor.registered.next" {
        en "whoever starts the service must start it again after a failure and after a restart of the machine"
        da "den, der starter tjenesten, skal starte den igen efter en fejl og efter en genstart af maskinen"
    }
    USER = "doctor.user" { en "user of the service" da "tjenestens bruger" }
    USER_IS = "doctor.user.is" { en "this command runs as {user}" da "denne kommando kører som {user}" }
    USER_NEXT = "doctor.user.next" {
        en "run doctor as the user of the service, and the service not as root"
        da "kør doctor som tjenestens bruger, og kør ikke tjenesten som root"
    }
    LOG = "doctor.log" { en "log" da "log" }
    LOG_IS = "doctor.log.is" {
        en "{place}, as {format}; coded events also to application_log ({count} in the last day)"
        da "{place}, som {format}; hændelser med kode også til application_log ({count} det sidste døgn)"
    }
    LOG_IS_ALONE = "doctor.log.is_alone" {
        en "{place}, as {format}; coded events also to application_log"
        da "{place}, som {format}; hændelser med kode også til application_log"
    }
    LOG_STDERR = "doctor.log.stderr" {
        en "to standard error (with systemd that is the journal)"
        da "til standard error (med systemd er det journalen)"
    }
    LOG_FILE = "doctor.log.file" { en "to {file} (telemetry.log_file)" da "til {file} (telemetry.log_file)" }
    LOG_NOT = "doctor.log.not" { en "{place}: {why}" da "{place}: {why}" }
    LOG_NEXT = "doctor.log.next" {
        en "without its log file the service does not start; run doctor as the user of the service"
        da "uden sin logfil starter tjenesten ikke; kør doctor som tjenestens bruger"
    }

    CONFIGURED = "doctor.configured" { en "configuration adjusted" da "konfiguration tilpasset" }
    CONFIGURED_OK = "doctor.configured.ok" { en "it can be used" da "den kan bruges" }
    CONFIGURED_WARN = "doctor.configured.warn" { en "{what}" da "{what}" }
    CONFIGURED_UNUSABLE = "doctor.configured.unusable" {
        en "the configuration {file} cannot be used: {problems}" da "konfigurationen {file} kan ikke bruges: {problems}"
    }
    CONFIGURED_PROBLEM = "doctor.configured.problem" { en "{place}: {key}: {why}" da "{place}: {key}: {why}" }
    CONFIGURED_BOTH = "doctor.configured.both" { en "{first}; {then}" da "{first}; {then}" }
    CONFIGURED_NEXT = "doctor.configured.next" {
        en "kommuneklient config check FILE" da "kommuneklient config check FIL"
    }
    STARTED = "doctor.started" { en "stages run" da "leddene kører" }
    STARTED_OK = "doctor.started.ok" {
        en "listener, qualifier and communicator run, the resource list was fetched {at}"
        da "lytter, vurdering og kommunikation kører, ressourcelisten blev hentet {at}"
    }
    STARTED_NOT = "doctor.started.not" { en "nobody does the work of: {stages}" da "ingen udfører arbejdet for: {stages}" }
    STARTED_NO_LIST = "doctor.started.no_list" {
        en "they run, but the resource list was never fetched" da "de kører, men ressourcelisten er aldrig hentet"
    }
    STARTED_NEXT = "doctor.started.next" {
        en "kommuneklient status; the log of the service says what it waits for"
        da "kommuneklient status; tjenestens log siger, hvad den venter på"
    }
    EXCHANGE = "doctor.exchange" { en "Exchange can be reached" da "Exchange kan nås" }
    PLANNER = "doctor.planner" { en "Planner can be reached" da "Planner kan nås" }
    REACHED = "doctor.reached" { en "{address} accepts connections" da "{address} tager imod forbindelser" }
    REACHED_PROXY = "doctor.reached_proxy" {
        en "{address} is called through the proxy {proxy} of this environment, which accepts connections"
        da "{address} kaldes gennem dette miljøs proxy {proxy}, som tager imod forbindelser"
    }
    NOT_REACHED_PROXY = "doctor.not_reached_proxy" {
        en "{address} is called through the proxy {proxy} of this environment: {why}"
        da "{address} kaldes gennem dette miljøs proxy {proxy}: {why}"
    }
    REACH_PROXY_NEXT = "doctor.reach_proxy.next" {
        en "check HTTPS_PROXY and NO_PROXY, and whether {proxy} can be reached from this machine"
        da "kontrollér HTTPS_PROXY og NO_PROXY, og om {proxy} kan nås fra denne maskine"
    }
    NOT_REACHED = "doctor.not_reached" { en "{address}: {why}" da "{address}: {why}" }
    REACH_NEXT = "doctor.reach.next" {
        en "check the name, the firewall and the proxy: port {port} must be open from this machine"
        da "kontrollér navnet, firewallen og proxyen: port {port} skal være åben fra denne maskine"
    }
    CALLS_FAIL = "doctor.calls.fail" {
        en "calls fail since {since}, the last at {at}{why}"
        da "kald har fejlet siden {since}, senest {at}{why}"
    }
    CALLS_UNKNOWN = "doctor.calls.unknown" {
        en "whether calls work is not known" da "om kald virker, vides ikke"
    }
    CALLS_WORK = "doctor.calls.work" {
        en "directly not; calls of the service work, perhaps through a proxy"
        da "ikke direkte; tjenestens kald virker, måske gennem en proxy"
    }
    CALLS_WORK_NEXT = "doctor.calls.work.next" {
        en "nothing, if the service has a proxy; run doctor with HTTPS_PROXY and NO_PROXY as in the environment of the service to try that"
        da "intet, hvis tjenesten har en proxy; kør doctor med HTTPS_PROXY og NO_PROXY som i tjenestens miljø for at prøve den"
    }
    CALLS_WORK_OTHERWISE = "doctor.calls.work_otherwise" {
        en "calls of the service work, on another way" da "tjenestens kald virker, ad en anden vej"
    }
    CALLS_WORK_OTHERWISE_NEXT = "doctor.calls.work_otherwise.next" {
        en "nothing for the service; HTTPS_PROXY, HTTP_PROXY and NO_PROXY of the environment in which doctor runs are not those of the service, or not right"
        da "intet for tjenesten; HTTPS_PROXY, HTTP_PROXY og NO_PROXY i det miljø, som doctor kører i, er ikke tjenestens, eller er forkerte"
    }
    CALLS_ALERT = "doctor.calls.alert" {
        en "alert {code} since {since} (events: {count}, the last {at}): {meaning}"
        da "alarm {code} siden {since} (hændelser: {count}, den seneste {at}): {meaning}"
    }
    CALLS_ALERT_CAUSE = "doctor.calls.alert_cause" {
        en "alert {code} since {since} (events: {count}, the last {at}): {meaning} ({cause})"
        da "alarm {code} siden {since} (hændelser: {count}, den seneste {at}): {meaning} ({cause})"
    }
    CALLS_STREAMS_MORE = "doctor.calls.streams_more" {
        en "further streams that are not open: {count}" da "flere strømme, der ikke er åbne: {count}"
    }
    CALLS_NEXT = "doctor.calls.next" {
        en "{hint} Settings: {keys}. kommuneklient codes {code} tells more"
        da "{hint} Indstillinger: {keys}. kommuneklient codes {code} fortæller mere"
    }
    CALLS_UNFORESEEN_NEXT = "doctor.calls.unforeseen.next" {
        en "{hint} kommuneklient codes {code} tells more"
        da "{hint} kommuneklient codes {code} fortæller mere"
    }
    CALLS_PLANNER_NEXT = "doctor.calls.planner.next" {
        en "check {keys}; calls are tried again, and everything is sent afterwards; Planner's support if it lasts"
        da "kontrollér {keys}; kald forsøges igen, og alt sendes bagefter; Planners support, hvis det varer ved"
    }
    CALLS_MAILBOXES_NEXT = "doctor.calls.mailboxes.next" {
        en "kommuneklient status names mailboxes of each alert, kommuneklient mailbox list --failing those that are not listened to; then kommuneklient doctor MAILBOX"
        da "kommuneklient status nævner postkasser for hver alarm, kommuneklient mailbox list --failing dem, der ikke lyttes til; derefter kommuneklient doctor MAILBOX"
    }
    NO_ADDRESS = "doctor.no_address" { en "no address is configured" da "ingen adresse er konfigureret" }
    NOT_TRIED = "doctor.not_tried" { en "not tried" da "ikke prøvet" }
    UNKNOWN_WITHOUT_SCHEMA = "doctor.without_schema" {
        en "cannot be told without its schema: kommuneklient migrate"
        da "kan ikke afgøres uden databasens skema: kommuneklient migrate"
    }
    UNKNOWN_WITHOUT_DATABASE = "doctor.without_database" {
        en "cannot be told without the database" da "kan ikke afgøres uden databasen"
    }
}
