/** What `sync` says in English, by its code. */
export const CZECH_PROBLEMS: Readonly<Record<string, string>> = {
  'onedata-unreachable': 'Onedata neodpovídá. Zkouší se to znovu samo; vaše práce je zatím na svazku.',
  'token-invalid': 'Onedata nepřijímá token. Předejte správci instance platný; použije se bez restartu.',
  'token-expired': 'Platnost tokenu skončila. Předejte správci instance nový; použije se bez restartu.',
  'token-not-permitted': 'Token nedovoluje to, co je potřeba. Předejte správci instance jiný.',
  'space-unknown':
    'Prostor s tímto označením neexistuje, nebo k němu token nemá přístup. Obraťte se na správce instance.',
  'space-not-supported': 'Poskytovatel Onedata tento prostor nepodporuje. Obraťte se na správce instance.',
  'volume-full': 'Svazek je plný. Uvolněte na něm místo, nebo požádejte o větší.',
  'space-full': 'Prostor je plný, takže se nedá ukládat. Uvolněte v něm místo, nebo požádejte o víc.',
  'lease-held':
    'Tento prostor projektů má otevřený jiná instance. Ukončete ji, nebo počkejte, až její nárok vyprší.',
  'unsaved-work': 'Na svazku je neuložená práce z dřívějška; rozhodněte, co s ní.',
  'deletions-guarded':
    'Zmizelo mnoho souborů najednou, proto v prostoru zatím zůstávají. Vše ostatní je uložené.',
  'files-unreadable': 'Některé soubory se nedaly uložit; vše ostatní je uložené.',
  'files-missing': 'Některé soubory projektu se nedají obnovit. Plocha se otevře, až to potvrdíte.',
  'project-closed':
    'Složka projektu se nedá číst, takže se nic neukládá. V terminálu plochy zadejte: chmod u+rwx ~/ScipionUserData/projects',
  'volume-not-mounted': 'Svazek není připojený. Obraťte se na správce instance.',
  'state-damaged': 'Záznam o stavu je poškozený. Nic se nezměnilo; obraťte se na správce instance.',
  internal: 'Kopírování selhalo a zkouší se znovu. Nic nebylo smazáno.',
};
