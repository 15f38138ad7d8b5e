import type { Texts } from './en.ts';

/** One, two to four, five and more. */
const plural = (one: string, few: string, many: string) => (count: number) =>
  `${count.toLocaleString('cs-CZ')} ${count === 1 ? one : count >= 2 && count <= 4 ? few : many}`;
const file = plural('soubor', 'soubory', 'souborů');
const withoutFiles = (count: number) => (count === 1 ? 'tohoto souboru' : `těchto ${count} souborů`);

/** What `sync` says in English, by its code. */
const PROBLEMS: Record<string, string> = {
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
  'volume-not-mounted': 'Svazek není připojený. Obraťte se na správce instance.',
  'state-damaged': 'Záznam o stavu je poškozený. Nic se nezměnilo; obraťte se na správce instance.',
  internal: 'Kopírování selhalo a zkouší se znovu. Nic nebylo smazáno.',
};
const ANSWERS: Record<string, string> = {
  'logged-out': 'Vaše přihlášení skončilo. Načtěte stránku znovu a přihlaste se.',
  'page-outdated': 'Načtěte stránku znovu: žádala o něco, co už neplatí.',
  'sync-silent': 'Datová služba neodpovídá, takže se teď nic nestalo. Ukládání se zkusí znovu samo.',
};
const WARNINGS: Record<string, string> = {
  'token-expires-soon':
    'Platnost tokenu brzy skončí. Předejte správci instance včas nový; použije se bez restartu.',
  'space-repaired':
    'Prostor nebyl takový, jak byl uložen. Nic ze svazku se neztratilo; podívejte se na soubory s "(changed elsewhere" ve jméně.',
  'token-advice': 'Token dovoluje víc, než je třeba, nebo by se měl změnit.',
};
const FILE_PROBLEMS: Record<string, string> = {
  'no-access': 'nedá se číst: chybí práva',
  'disk-fault': 'disk svazku při něm hlásí chybu; řekněte to správcům',
  'space-fault': 'Onedata při něm hlásí chybu a jiné soubory vydává',
  changing: 'během čtení se měnil; přijde příště',
  'database-locked': 'databázi má zamčenou jiný program; zavřete ho',
  'name-too-long': 'jméno nebo cesta jsou příliš dlouhé',
  'in-the-way': 'na jeho místě je něco jiného',
  'no-room': 'na svazku pro něj není místo',
  'not-in-space': 'prostor ho uvádí, ale nemá jeho obsah',
  damaged: 'obsah neodpovídá kontrolnímu součtu',
  'not-possible': 'některá jeho vlastnost se nedá zachovat',
};

export const cs: Texts = {
  locale: 'cs-CZ',
  language: 'Čeština',

  seconds: plural('sekunda', 'sekundy', 'sekund'),
  minutes: plural('minuta', 'minuty', 'minut'),
  hours: plural('hodina', 'hodiny', 'hodin'),
  days: plural('den', 'dny', 'dní'),
  hoursAndMinutes: (hours, minutes) => `${hours} ${minutes} min`,
  justNow: 'právě teď',
  files: file,
  filesOf: (done, total) => `${done} z ${file(total)}`,
  of: (part, whole) => `${part} z ${whole}`,
  timeLeft: (duration) => `zbývá asi ${duration}`,

  source: 'Zdrojová data',
  project: 'Vaše projekty',
  instance: 'Tato instance',

  connecting: 'Připojování…',
  asking: 'Zjišťuje se, jak daleko instance je.',
  noScript: 'Plochu kreslí tato stránka a potřebuje JavaScript. Povolte ho pro tuto adresu.',
  pageLost: 'Stránka ztratila spojení',
  pageLostLead: 'Instance je odsud teď nedostupná. Stránka to zkouší dál.',
  stopping: 'Tato instance se zastavuje',
  stoppingLead:
    'Ukládají se poslední změny. Dál to tato stránka sledovat nemůže; vrátí se sama, až se vrátí instance.',
  syncDown: 'Datová služba neodpovídá',
  syncDownRemoval: 'Ukládala vaši práci před odstraněním. Dokud neodpoví, nic se neodstraní.',
  syncDownLead: 'Spustí se znovu sama a bude pokračovat tam, kde skončila. Stránka se ptá dál.',
  saving: 'Ukládání vaší práce před odstraněním',
  savingLead:
    'Plocha je zavřená, aby se už nic neměnilo. Co je nového od posledního uložení, jde teď do prostoru projektů.',
  savingFoot: 'Instance se odstraní, až to bude hotové.',
  starting: 'Spouštění',
  startingLead: 'Datová služba se spouští.',
  opening: 'Otevírání plochy',
  openingLead: 'Data jsou připravená; plocha se spouští.',
  preparing: 'Příprava plochy',
  preparingBlocked: 'Příprava plochy potřebuje vaši pozornost',
  preparingLead: 'Zdrojová data a projekty se kopírují k ploše. Otevře se tady, jakmile budou celé.',
  mayClose: 'Stránku můžete zavřít a vrátit se později; práce pokračuje i bez ní.',
  notAllSaved: 'Plocha je zavřená, ale není uloženo všechno',
  notAllSavedLead:
    'Část posledních změn je zatím jen na svazku instance. Dokud se to nevyřeší, neodstraňujte ji.',
  allSavedTitle: 'Všechno je uložené',
  allSavedLead: 'Celá vaše práce je v prostoru projektů a plocha je zavřená. Instance se teď může odstranit.',
  allSavedFoot: 'Až se instance znovu vytvoří, projekty se vrátí.',

  pending: 'Čeká, až přijde na řadu',
  listing: 'Prochází se soubory…',
  copying: 'Kopírování…',
  waiting: 'Přerušeno, zkouší se znovu',
  complete: 'Hotovo',
  nothingToCopy: 'Není co kopírovat',

  began: (ago) => `Začátek: ${ago}.`,
  goesOn: 'Až se to vyřeší, pokračuje se samo.',
  tryingNow: 'Právě se to zkouší znovu.',
  nextAttempt: (duration) => `Další pokus: ${duration}.`,
  saveFailed: (message) => `Uložení selhalo a zkouší se znovu: ${message}`,
  problem: (message, code) => PROBLEMS[code] ?? message,
  warning: (message, code) => WARNINGS[code] ?? message,
  fileProblem: (message, code) => FILE_PROBLEMS[code] ?? message,

  saveUnknown: 'Zda je práce uložená, teď není známo',
  savingNow: (progress) => `Ukládání…${progress}`,
  saveFailedState: 'Poslední uložení selhalo',
  lastSaved: (ago) => `naposledy uloženo ${ago}`,
  unsaved: (ago) => `Neuložené změny · uloženo ${ago}`,
  notSavedYet: 'Zatím neuloženo',
  nothingToSave: 'Zatím není co ukládat',
  allSaved: (ago) => `Vše uloženo · ${ago}`,
  saved: (ago) => `Uloženo ${ago}`,
  savedUnknown: (ago) => `Uloženo ${ago} · není známo, zda se od té doby něco změnilo`,
  saveRefused: 'Projekty se teď nepodařilo uložit.',
  unreachable: 'Instance je nedostupná, takže se nic nestalo. Zkuste to za chvíli.',
  answer: (message, code) => ANSWERS[code] ?? PROBLEMS[code] ?? `Datová služba to odmítla: ${message}`,

  saveNow: 'Uložit',
  saveNowTitle: 'Uložit projekty do jejich prostoru hned',
  status: 'Stav',
  statusTitle: 'Co je uložené, volné místo, tokeny a co potřebuje pozornost',
  clipboard: 'Schránka',
  settings: 'Nastavení',
  keyboardButton: 'Klávesnice',
  keyboardTitle: 'Klávesnice na obrazovce',
  move: 'Posun',
  moveTitle: 'Posouvat plochu prstem',
  fullScreen: 'Celá obrazovka',
  hide: 'Skrýt',
  hideTitle: 'Skrýt tuto lištu',
  showBar: 'Ukázat lištu',
  showBarState: (state) => `Ukázat lištu. ${state}`,
  logOut: 'Odhlásit',
  logOutTitle: 'Odhlásit se; plocha běží dál',
  dismiss: 'Skrýt zprávu',
  close: 'Zavřít',
  leaveHint: 'Ctrl+Alt+Shift opustí plochu',
  keyboardLabel: 'Co tu píšete, dostává plocha. Opustíte ji stisknutím Ctrl, Alt a Shift najednou.',

  clipboardLabel: 'Text sdílený s plochou',
  clipboardHint:
    'Co zkopírujete na ploše, objeví se tady. Co sem napíšete nebo vložíte, můžete vložit na ploše.',
  clipboardNotWritable: 'Prohlížeč nedovoluje stránce zapisovat do schránky: zkopírujte text odsud.',
  clipboardTooLong: (size, limit) =>
    `Text má ${size}; plocha přijme nejvýš ${limit}. Nic se neodeslalo: pro víc použijte soubor.`,
  clipboardSend: 'Poslat na plochu',
  clipboardIn: 'Přebírat, co zkopíruji na tomto počítači',
  clipboardOut: 'Dávat tomuto počítači, co zkopíruji na ploše',
  clipboardLimit: (to, from) => `Na plochu nejvýš ${to}, z plochy ${from}; pro víc použijte soubor.`,

  statusSave: 'Ukládání',
  nextSave: (duration) => `Další automatické uložení: ${duration}.`,
  space: (free, total) => `volných ${free} z ${total}`,
  room: 'Místo na svazcích',
  tokens: 'Tokeny Onedata',
  tokenEnds: (when, left) => `platí do ${when}, ještě ${left}`,
  tokenEnded: (when) => `platnost skončila ${when}`,
  tokenNoEnd: 'bez konce platnosti',
  viewers: (count) => (count === 1 ? 'Otevřeno jen v tomto okně.' : `Počet otevřených oken: ${count}.`),
  viewersTitle: 'Kdo se dívá',
  advice: 'Doporučení',
  refresh: 'Obnovit zdrojová data',
  refreshHint: 'Zkopíruje, co je ve zdrojovém prostoru nového. Vašich projektů se to nedotkne.',
  refreshing: 'Nová zdrojová data se kopírují. Pokračuje to i bez této stránky.',
  refreshed: 'Zdrojová data jsou aktuální.',
  fileProblems: (count) => `Vynecháno: ${file(count)}`,
  fileProblemsMore: (count) => `… a ještě ${file(count)}. Vypíše je „sync status“.`,
  confirmMissing: (count) => `Otevřít bez ${withoutFiles(count)}`,
  confirmDeletions: (count) =>
    `Odstranit ${count === 1 ? 'tento soubor' : `tyto soubory (${count})`} i v prostoru`,
  confirmed: 'Potvrzeno. Stane se při dalším pokusu.',

  languageLabel: 'Jazyk',
  quality: 'Obraz',
  qualityAuto: 'Podle připojení',
  qualityHigh: 'Ostrý',
  qualityLow: 'Rychlý, pro pomalé připojení',
  viewOnly: 'Jen se dívat: klávesy a myš nic nedělají',
  scale: 'Velikost plochy',
  scaleFit: 'Jako toto okno',
  scaleFactor: (factor) => `${factor}× toto okno, menší a ostřejší`,
  connection: 'Připojení',
  roundTrip: (milliseconds) => `${milliseconds} ms k instanci a zpět`,

  lost: 'Spojení se ztratilo, obnovuje se…',
  lostText: 'Plocha běží dál, se vším, co je na ní otevřené.',
  desktopDown: 'Plocha neodpovídá',
  desktopDownText: 'Spustí se znovu sama a otevře se tady. Soubory, které se na ní zapsaly, zůstávají.',
  networkDown: 'Instance je odsud nedostupná. Plocha běží dál; zkontrolujte síť.',
  nextTry: (duration) => `Další pokus: ${duration}.`,
  trying: 'Zkouší se…',
  tryNow: 'Zkusit teď',

  login: 'Přihlášení',
  password: 'Heslo k této ploše',
  passwordHint: 'Bylo nastaveno při vytvoření instance; kdo ji vytvořil, může ho zjistit.',
  reveal: 'Ukázat',
  conceal: 'Skrýt',
  capsLock: 'Caps Lock je zapnutý.',
  loginWait: 'Do dalšího pokusu:',
  openDesktop: 'Otevřít plochu',
  wrongPassword: (triesLeft) =>
    `To není správné heslo. Počet dalších pokusů, než bude třeba chvíli počkat: ${triesLeft}.`,
  manyWrongPasswords:
    'Této stránce přišlo mnoho chybných hesel, proto každý pokus musí několik sekund počkat. Správné heslo pak plochu otevře.',
  passwordTooLong: (kibibytes) => `Na heslo je to příliš dlouhé: přišlo víc než ${kibibytes} KiB.`,
  loggedOut: 'Jste odhlášeni. Plocha běží dál a vaše práce se ukládá jako obvykle.',

  goToDesktop: 'Přejít na plochu',
  refused: 'Odmítnuto',
  refusedText: (origin) => `Přišlo to z jiné adresy než ${origin}. Otevřete tu adresu a zkuste to znovu.`,
  notHere: 'Tady nic není',
  notHereText: 'Taková stránka v této instanci není.',
  failed: 'To se nepovedlo',
  failedHere:
    'Chyba je na straně instance. Načtěte stránku znovu; pokud se to opakuje, řekněte to jejím správcům.',
  notUnderstood: 'Požadavku nebylo rozumět. Vraťte se a načtěte stránku znovu.',
  tooManyStrangers: 'Ptá se teď příliš mnoho neznámých. Načtěte stránku znovu.',
};
