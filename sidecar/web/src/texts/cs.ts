import type { JobWhy } from '../../../contract/job-view.ts';
import type { SignInReason } from '../../../src/gateway/sign-in-reason.ts';
import { CZECH_PROBLEMS } from '../../shared/czech-problems.ts';
import { czechNumbers, czechPlural } from '../../shared/plurals.ts';
import type { Texts } from './en.ts';

const file = czechPlural('soubor', 'soubory', 'souborů');
const runningJob = czechPlural('úloha', 'úlohy', 'úloh');
const withoutFiles = (count: number) => (count === 1 ? 'tohoto souboru' : `těchto ${count} souborů`);

const ANSWERS: Record<string, string> = {
  'logged-out': 'Vaše přihlášení skončilo. Načtěte stránku znovu a přihlaste se.',
  'page-outdated': 'Načtěte stránku znovu: žádala o něco, co už neplatí.',
  'restore-runs': 'Právě vzniká jiná kopie. Počkejte, až bude hotová.',
  'file-outside': 'Tento odkaz vede mimo projekty.',
  'file-gone': 'Takový soubor nebo složka v projektech už není.',
  'file-closed': 'K tomuto souboru nebo složce instance nemá práva.',
  'file-name': 'Soubor s takovým jménem nebo cestou se nedá nahrát. Přejmenujte ho.',
  'file-many': 'Přenáší se už příliš mnoho souborů. Počkejte, až některý skončí.',
  'file-room': 'Na svazku pro soubor není místo. Smažte, co není potřeba, a pokračujte.',
  'file-not-open': 'Projekty teď nejsou otevřené.',
  'file-forgotten': 'Začněte soubor nahrávat znovu: bude se pokračovat.',
  'file-busy': 'Tento soubor právě nahrává jiné okno.',
  'file-offset': 'Začněte soubor nahrávat znovu: bude se pokračovat.',
  'file-size': 'Přišlo víc, než kolik soubor měl mít.',
  'file-failed':
    'Na svazku se to nepodařilo. Zkuste to znovu; pokud se to opakuje, řekněte to správci instance.',
  'many-links': 'Odkazů je příliš mnoho. Některé ukončete.',
  'opening-invalid': 'Tuto adresu pro tuto plochu konzole nevytvořila. Otevřete plochu z konzole znovu.',
  'opening-elsewhere': 'Tato adresa je pro jinou plochu. Otevřete plochu z konzole znovu.',
  'opening-ended': 'Tato adresa už skončila: platí minutu. Otevřete plochu z konzole znovu.',
  'opening-early':
    'Tuto adresu vytvořily hodiny, které jdou proti zdejším napřed. Otevřete plochu z konzole znovu; pokud to nepomůže, řekněte to správcům.',
  'opening-used': 'Tato adresa už byla použita: každá platí jednou. Otevřete plochu z konzole znovu.',
  'jobs-silent': 'Služba úloh neodpovídá. Úlohy běží dál; zkuste to za chvíli.',
  'job-gone': 'Taková úloha už není.',
  'sync-silent': 'Datová služba neodpovídá, takže se teď nic nestalo. Ukládání se zkusí znovu samo.',
};
const WARNINGS: Record<string, string> = {
  'token-expires-soon':
    'Platnost tokenu brzy skončí. Předejte správci instance včas nový; použije se bez restartu.',
  'space-repaired':
    'Prostor nebyl takový, jak byl uložen. Nic ze svazku se neztratilo; podívejte se na soubory s "(changed elsewhere" ve jméně.',
  'files-removed':
    'V prostoru projektu chybí soubory posledního uložení, takže na novém svazku nejsou. Hledejte je v jeho koši a ve starších uloženích; pokud tam nejsou a odstraněny být neměly, požádejte správce prostoru o zálohu.',
  'jobs-awaited':
    'Instance se zavírá: čeká na konec úloh, potom vše uloží a zavře se. Nové úlohy se nepřijímají.',
  'settings-refused':
    'Změněné nastavení instance nejde použít, platí dál to předchozí a práce pokračuje. Řekněte to správci instance.',
  'token-advice': 'Token dovoluje víc, než je třeba, nebo by se měl změnit.',
};
const pausesSoon = (when: string) =>
  `Instance se uloží a pozastaví: ${when}. Nic se neodstraní; obě kopie dat zůstanou. Pokud ji potřebujete déle, řekněte to správcům.`;
/** What the cluster itself said stays in its words. */
const JOB_WHY: Readonly<Record<JobWhy, (detail: string) => string>> = {
  'no-pod': () => 'Čeká, až vznikne její pod.',
  'pod-refused': (detail) => `Její pod nemůže vzniknout: ${detail}`,
  'cannot-start': (detail) => `Její pod se nemůže spustit: ${detail}`,
  'no-room': (detail) => `Na žádném uzlu pro ni zatím není místo: ${detail}`,
  starting: () => 'Její pod se spouští.',
  running: () => '',
  cancelling: () => 'Ruší se.',
  'node-silent': (node) => `Uzel ${node} neodpovídá, takže se neví, co s ní je.`,
  cancelled: () => 'Byla zrušena.',
  done: () => 'Doběhla do konce.',
  'out-of-time': () => 'Vypršel jí čas: požádejte o víc hodin, nebo zvolte jinou třídu.',
  'out-of-memory': () => 'Zabrala víc paměti, než má: požádejte o víc, nebo zvolte jinou třídu.',
  evicted: (detail) => `Uzel ji ukončil: ${detail}`,
  disrupted: (detail) => `Cluster ji ukončil: ${detail}`,
  failed: (code) => `Její příkaz skončil s kódem ${code}.`,
  'pod-gone': (detail) => `Její pod už není: ${detail}`,
};
const FILE_PROBLEMS: Record<string, string> = {
  'no-access': 'nedá se číst: chybí práva',
  'disk-fault': 'disk svazku při něm hlásí chybu; řekněte to správcům',
  'space-fault': 'Onedata při něm hlásí chybu a jiné soubory vydává',
  changing: 'během čtení se měnil; přijde příště',
  sending: 'je velký, posílá se během několika uložení; vše ostatní se mezitím ukládá',
  'database-locked': 'databázi má zamčenou jiný program; zavřete ho',
  'name-too-long': 'jméno nebo cesta jsou příliš dlouhé',
  'in-the-way': 'na jeho místě je něco jiného',
  'no-room': 'na svazku pro něj není místo',
  'not-in-space': 'prostor ho uvádí, ale nemá jeho obsah',
  'put-away':
    'nedokončené uložení ho odsunulo do koše prostoru; otevřete plochu bez něj a vraťte ho (sync trash --restore)',
  damaged: 'obsah neodpovídá kontrolnímu součtu',
  'not-possible': 'některá jeho vlastnost se nedá zachovat',
};

const SIGN_IN: Readonly<Record<SignInReason, (at: string, detail: string) => string>> = {
  unreachable: (at) =>
    `Server ${at} je z této instance nedostupný, takže se tam teď nejde přihlásit. Zkuste to za minutu.`,
  slow: (at) => `Server ${at} neodpověděl včas. Zkuste to za minutu.`,
  unusable: (at) =>
    `Server ${at} odpověděl jinak, než jak se odpovídá na přihlášení. Zkuste to za minutu; pokud se to opakuje, řekněte to správcům instance.`,
  'unknown-client': (at) =>
    `Server ${at} tuto instanci nezná, nebo nezná její tajemství. Řekněte to správcům instance.`,
  foreign: (at) =>
    `Odpověď serveru ${at} nepatří k přihlášení, na které tento prohlížeč čeká: je příliš stará, už byla použita, nebo patří jinému oknu. Přihlaste se znovu.`,
  clock: (at) => `Hodiny serveru ${at} a této instance se příliš liší. Řekněte to správcům instance.`,
  denied: (at, error) =>
    `Server ${at} vás nepřihlásil${error === '' ? '' : ` (${error})`}. Můžete to zkusit znovu.`,
  'not-allowed': (at, user) =>
    `Server ${at} vás zná jako ${user}; ten tuto plochu otevřít nesmí. Obraťte se na správce instance.`,
  'email-unverified': (at, user) =>
    `Server ${at} vás zná jako ${user}, ale tuto adresu nemá ověřenou. Nechte si ji tam ověřit a přihlaste se znovu.`,
};

export const cs: Texts = {
  ...czechNumbers,
  language: 'Čeština',

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
  problem: (message, code) => CZECH_PROBLEMS[code] ?? message,
  warning: (message, code, when) => (code === 'pauses-soon' ? pausesSoon(when) : (WARNINGS[code] ?? message)),
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
  answer: (message, code) => ANSWERS[code] ?? CZECH_PROBLEMS[code] ?? `Datová služba to odmítla: ${message}`,

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
  clipboardLimit: (limit) => `Nejvýš ${limit} každým směrem; pro víc použijte soubor.`,

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
  watchers: (count) => `Přes odkaz se dívá: ${count}.`,
  othersLook: (windows, watchers) =>
    [
      ...(windows > 0 ? [`další okna: ${windows}`] : []),
      ...(watchers > 0 ? [`přes odkaz se dívá: ${watchers}`] : []),
    ].join(' · '),
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
  confirmUnsaved: (count) =>
    `Při odstranění instance ${count === 1 ? 'tento soubor' : `tyto soubory (${count})`} ztratit`,
  confirmUnsavedAgain: (count) =>
    `Příští odstranění instance ${count === 1 ? 'tento soubor' : `tyto soubory (${count})`} nadobro smaže. Jejich dřívější uložení v prostoru zůstanou. Opravdu?`,
  confirmed: 'Potvrzeno. Stane se při dalším pokusu.',

  jobs: 'Úlohy',
  jobsState: (running, waiting) =>
    running + waiting === 0
      ? 'Žádná úloha neběží ani nečeká.'
      : `Běží ${runningJob(running)}, čeká ${waiting.toLocaleString('cs-CZ')}.`,
  jobsUnknown: 'Co je s úlohami, se teď neví. Běží dál.',
  jobsHint: 'Úlohy běží dál, i když tuto stránku zavřete.',
  jobsNone: 'Žádné nejsou. Protokol běží jako úloha, když má ve formuláři „Use a queue: Yes“.',
  jobsClosed: 'Nové úlohy se nepřijímají: instance se zavírá.',
  jobsMore: (count) => `… a ${count} dalších.`,
  jobAsked: (cpus, memory) => `${czechPlural('CPU', 'CPU', 'CPU')(cpus)}, ${memory}`,
  jobWaits: (duration) => `Čeká, zatím ${duration}.`,
  jobRuns: (duration, node) => `Běží, zatím ${duration}${node === '' ? '' : `, na uzlu ${node}`}.`,
  jobEnded: (ago) => `Skončila ${ago}.`,
  jobUsed: (cpuTime, memory) => `Čas procesoru: ${cpuTime}; největší proces zabral ${memory}.`,
  jobWhy: (why, detail) => JOB_WHY[why](detail),
  jobCancel: 'Zrušit',
  jobCancelOf: (name) => `Zrušit úlohu ${name}`,
  jobCancelSure: (name) => `Zrušit úlohu ${name}? Co zapsala, zůstane.`,
  jobCancelYes: 'Zrušit úlohu',
  jobCancelNo: 'Nechat běžet',
  jobCancelling: 'Ruší se.',
  jobLog: 'Výpis',
  jobLogOf: (name) => `Výpis úlohy ${name}: poslední řádky`,
  jobLogEnd: (path) => `Konec souboru ${path}`,
  jobLogNone: 'Zatím v něm nic není.',

  filesTitle: 'Soubory',
  filesWhere: 'Složka',
  filesHint:
    'Kliknutím na soubor ho stáhnete. Soubory a složky přetažené na tuto stránku se nahrají do této složky.',
  filesEmpty: 'Složka je prázdná. Soubory a složky přetažené na tuto stránku se nahrají sem.',
  filesCut: (count) =>
    `Ukazuje se jen prvních ${count.toLocaleString('cs-CZ')} položek; ostatní najdete na ploše.`,
  filesFree: (free) => `Na svazku je volných ${free}.`,
  filesUpload: 'Nahrát soubory do této složky',
  filesReload: 'Načíst znovu',
  filesOutside: 'odkaz mimo vaše projekty, například na zdrojová data',
  filesOther: 'není to soubor',
  unreachableFile: 'Instance je nedostupná.',
  savesTitle: 'Starší verze',
  savesPath: 'Který soubor nebo složku vrátit; prázdné: všechny projekty',
  savesHint: 'Kopie se uloží do nové složky; na tom, co tu je teď, se nic nezmění.',
  savesNone: 'Zatím se nic neuložilo.',
  savesBring: 'Vrátit',
  savesBringOf: (when) => `Vrátit kopii z uložení ${when}`,
  savesChanges: (count) => (count === null ? '' : `počet změn: ${count.toLocaleString('cs-CZ')}`),
  restoreRuns: (to) => `Kopie vzniká ve složce ${to}. Pokračuje i bez této stránky.`,
  restoreDone: (to, files, size) => `Ve složce ${to} je ${file(files)}, ${size}.`,
  restoreSkipped: (count) => `V prostoru už z toho není ${file(count)}.`,
  sendingTitle: 'Nahrávání',
  sendingDone: (path) => `Nahráno jako ${path}.`,
  sendingRetry: 'Pokračuje se samo.',
  sendingResumed: (size) => `pokračuje od ${size}`,
  sendingResume: 'Pokračovat',
  sendingRemove: (path) => `Odebrat ${path} ze seznamu`,

  languageLabel: 'Jazyk',
  quality: 'Obraz',
  qualityAuto: 'Podle připojení',
  qualityHigh: 'Ostrý',
  qualityLow: 'Rychlý, pro pomalé připojení',
  viewOnly: 'Jen se dívat: klávesy a myš nic nedělají',
  scale: 'Velikost plochy',
  scaleFit: 'Jako toto okno',
  scaleFactor: (factor) => `${factor}× toto okno, menší a ostřejší`,
  sessionsTitle: 'Přihlášení',
  sessionThis: 'Tento prohlížeč',
  sessionSeen: (browser, ago) => `${browser}, použito ${ago}`,
  sessionEnds: (when) => `Přihlášení skončí nejpozději ${when}.`,
  unknownBrowser: 'Neznámý prohlížeč',
  endOthers: 'Odhlásit všude jinde',
  endedOthers: 'Všechny ostatní prohlížeče jsou odhlášené.',
  connection: 'Připojení',
  roundTrip: (milliseconds) => `${milliseconds} ms k instanci a zpět`,

  loginEnds: (when) =>
    `Vaše přihlášení skončí v ${when}. Plocha běží dál a práce se ukládá jako obvykle; pak se přihlaste znovu.`,
  loginEndsIdle: (when) =>
    `Stránku dlouho nikdo nepoužil. Přihlášení skončí v ${when}, pokud tu nestisknete klávesu nebo neklepnete.`,
  roundTripShort: (milliseconds) => `${milliseconds} ms`,

  share: 'Sdílet',
  shareTitle: 'Ukázat plochu jiným',
  sharesHint: 'Kdo má odkaz, vidí plochu. Klávesy, myš, schránka, soubory a tato lišta zůstávají vám.',
  shareLife: 'Odkaz platí',
  shareHour: '1 hodinu',
  shareDay: '8 hodin',
  shareForever: 'dokud se tady neukončí',
  shareMake: 'Vytvořit odkaz',
  shareLink: 'Nový odkaz',
  shareCopied: 'Odkaz máte ve schránce. Znovu se neukáže.',
  shareCopy: 'Zkopírujte si odkaz teď: znovu se neukáže.',
  shareMade: (when, windows) =>
    `Odkaz z ${when}, ${windows === 0 ? 'nikdo se nedívá' : `počet oken: ${windows}`}`,
  shareEnds: (when) => `Skončí ${when}.`,
  shareNoEnd: 'Platí, dokud se tady neukončí.',
  shareEnd: 'Ukončit',
  shareEndOf: (when) => `Ukončit odkaz z ${when}`,
  shareEnded: 'Odkaz skončil.',
  watching: 'Jen se díváte; klávesy a myš nic nedělají.',
  linkEndsIn: (duration) => `Odkaz skončí za: ${duration}.`,
  linkEnded: 'Tento odkaz skončil',
  linkEndedText: 'Už nic neukazuje. Požádejte o nový toho, kdo vám ho dal.',
  watchClosedText: 'Plocha neodpovídá, nebo se dívá příliš mnoho lidí. Stránka to zkouší dál.',
  networkDownWatch: 'Instance je odsud nedostupná. Stránka to zkouší dál.',

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
  signInAt: (host) => `Přihlásit se přes ${host}`,
  signOutAt: (host) => `Odhlásit se i z ${host}`,
  orPassword: 'Nebo',
  passwordOff: 'Heslem se tato plocha neotevírá. Použijte přihlášení.',
  signInFailed: (reason, host, detail) => SIGN_IN[reason](host, detail),
  signInBusy: 'Přihlašuje se právě příliš mnoho lidí. Přihlaste se znovu.',
  signedIn: 'Jste přihlášeni',
  signedInText: 'Plocha se za chvíli otevře.',
  openingByCode: 'Plocha se za chvíli otevře.',
  openingFailed: 'Instance je nedostupná. Otevřete plochu z konzole znovu.',
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
