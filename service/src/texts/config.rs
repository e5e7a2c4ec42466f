//! What works in a configuration and should still be looked at: the log at start (in English), `config check` and
//! `doctor`; and what keeps the log file from being written.

texts! {
    RENAMED = "config.renamed" {
        en "{old} is called {new} now; the former name still works"
        da "{old} hedder nu {new}; det tidligere navn virker stadig"
    }
    PLAIN_PASSWORD = "config.plain_password" {
        en "{key} is plain http: the password of the service account crosses the network unencrypted"
        da "{key} er almindelig http: servicekontoens adgangskode sendes ukrypteret over netværket"
    }
    PLAIN_APPOINTMENTS = "config.plain_appointments" {
        en "{key} is plain http: every appointment crosses the network unencrypted"
        da "{key} er almindelig http: alle aftaler sendes ukrypteret over netværket"
    }
    ANY_CERTIFICATE = "config.any_certificate" {
        en "exchange.danger_accept_invalid_certificates is true: no certificate of Exchange is verified"
        da "exchange.danger_accept_invalid_certificates er true: ingen af Exchanges certifikater kontrolleres"
    }
    LACKS_CERTIFICATE = "config.lacks_certificate" {
        en "planner.service_url is https and planner.client_certificate is not set: Planner refuses who shows no certificate"
        da "planner.service_url er https, og planner.client_certificate er ikke sat: Planner afviser den, der intet certifikat viser"
    }
    DRY_RUN = "config.dry_run" {
        en "planner.dry_run is true: everything is decided and compared, nothing is sent"
        da "planner.dry_run er true: alt afgøres og sammenlignes, intet sendes"
    }
    PLACEHOLDER = "config.placeholder" {
        en "exchange.password is the placeholder of config.example.toml; Exchange will refuse it"
        da "exchange.password er pladsholderen fra config.example.toml; Exchange vil afvise den"
    }
    CERTIFICATE_ENDS = "config.certificate.ends" {
        en "{key}: the certificate of {subject} ends at {at} (in {days} days); renew it"
        da "{key}: certifikatet for {subject} udløber {at} (om {days} dage); forny det"
    }
    CERTIFICATE_OVER = "config.certificate.over" {
        en "{key}: the certificate of {subject} ended at {at}; name one that is valid"
        da "{key}: certifikatet for {subject} udløb {at}; angiv et, der er gyldigt"
    }
    CERTIFICATE_NOT_BEGUN = "config.certificate.not_begun" {
        en "{key}: the certificate of {subject} is valid only from {at}; is this machine's clock right?"
        da "{key}: certifikatet for {subject} gælder først fra {at}; går denne maskines ur rigtigt?"
    }
    LOG_NO_FILE = "config.log.no_file" { en "{file} is no file; name one" da "{file} er ingen fil; angiv en" }
    LOG_FOLDER_UNUSABLE = "config.log.folder_unusable" {
        en "the folder {folder} cannot be used ({error}); make it, or name another file"
        da "mappen {folder} kan ikke bruges ({error}); opret den, eller angiv en anden fil"
    }
    LOG_NO_FOLDER = "config.log.no_folder" {
        en "{folder} is no folder; name a file in one" da "{folder} er ingen mappe; angiv en fil i en mappe"
    }
    LOG_IS_FOLDER = "config.log.is_folder" {
        en "{file} is a folder; name a file in it" da "{file} er en mappe; angiv en fil i den"
    }
    LOG_UNWRITABLE = "config.log.unwritable" {
        en "{file} cannot be written by this user ({error}); let the user of the service write it, or name another file"
        da "denne bruger kan ikke skrive i {file} ({error}); lad tjenestens bruger skrive i den, eller angiv en anden fil"
    }
    LOG_UNMADE = "config.log.unmade" {
        en "this user can make no file in {folder} ({error}); let the user of the service make files there, or name another one"
        da "denne bruger kan ikke oprette filer i {folder} ({error}); lad tjenestens bruger oprette filer der, eller angiv en anden fil"
    }
}
