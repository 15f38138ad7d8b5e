import type { JobWhy } from '../../../contract/job-view.ts';
import type { SignInReason } from '../../../src/gateway/sign-in-reason.ts';
import { englishNumbers, englishPlural } from '../../shared/plurals.ts';

/** English. Functions take what belongs into the sentence, ready to be read. Czech has the same keys. */

const file = englishPlural('file');
const job = englishPlural('job');

/** What the gateway answers to the page, by its code; what `sync` says comes in its own words. */
const ANSWERS: Record<string, string> = {
  'logged-out': 'Your session has ended. Load the page again and log in.',
  'page-outdated': 'Load the page again: it asked for something that is not there any more.',
  'sync-silent':
    'The data service does not answer, so nothing was done now. Saving is tried again on its own.',
  'many-links': 'There are too many links. End some of them.',
};

/** @param at the sign-in server @param detail whom it named, or its error */
const SIGN_IN: Readonly<Record<SignInReason, (at: string, detail: string) => string>> = {
  unreachable: (at) =>
    `${at} cannot be reached from this instance, so signing in there does not work now. Try again in a minute.`,
  slow: (at) => `${at} did not answer in time. Try again in a minute.`,
  unusable: (at) =>
    `${at} answered, but not as a sign-in server does. Try again in a minute; if it happens again, tell the people who run this instance.`,
  'unknown-client': (at) =>
    `${at} does not know this instance, or not by this secret. Tell the people who run this instance.`,
  foreign: (at) =>
    `What came back from ${at} is not the answer to a sign-in that this browser waits for: it is too old, was used already, or belongs to another window. Sign in again.`,
  clock: (at) =>
    `The clocks of ${at} and of this instance differ too much. Tell the people who run this instance.`,
  denied: (at, error) => `${at} did not sign you in${error === '' ? '' : ` (${error})`}. You can try again.`,
  'not-allowed': (at, user) =>
    `${at} knows you as ${user}, who is not one of those that may open this desktop. Ask the people who run this instance.`,
  'email-unverified': (at, user) =>
    `${at} knows you as ${user}, but has not verified that address. Have it verified there, then sign in again.`,
};

export const en = {
  ...englishNumbers,
  language: 'English',

  files: file,
  filesOf: (done: string, total: number) => `${done} of ${file(total)}`,
  of: (part: string, whole: string) => `${part} of ${whole}`,
  timeLeft: (duration: string) => `about ${duration} left`,

  source: 'Raw data',
  project: 'Your projects',
  instance: 'This instance',

  // Screens
  connecting: 'Connecting…',
  asking: 'Asking the instance how far it is.',
  noScript: 'The desktop is drawn by this page and needs JavaScript. Allow it for this address.',
  pageLost: 'This page lost its connection',
  pageLostLead: 'The instance cannot be reached from here at the moment. This page keeps trying.',
  stopping: 'This instance is stopping',
  stoppingLead:
    'Your last changes are being saved. This page cannot follow that any further; it comes back automatically when the instance does.',
  syncDown: 'The data service does not answer',
  syncDownRemoval: 'It was saving your work before the removal. Nothing is removed before it has answered.',
  syncDownLead: 'It is restarted automatically and continues where it stopped. This page keeps asking.',
  saving: 'Saving your work before removal',
  savingLead:
    'The desktop is closed, so that nothing changes any more. What is new since the last save goes to your project space now.',
  savingFoot: 'The instance is removed only after this has succeeded.',
  starting: 'Starting',
  startingLead: 'The data service is starting.',
  opening: 'Opening the desktop',
  openingLead: 'Your data is here; the desktop is starting.',
  preparing: 'Preparing your desktop',
  preparingBlocked: 'Preparing your desktop needs attention',
  preparingLead:
    'Raw data and projects are copied next to the desktop. It opens here as soon as they are complete.',
  mayClose: 'You can close this page and come back later; the work continues without it.',
  notAllSaved: 'The desktop is closed, but not everything is saved',
  notAllSavedLead:
    'Some of the last changes are still only on the instance’s own volume. Do not remove it before this is solved.',
  allSavedTitle: 'Everything is saved',
  allSavedLead:
    'All your work is in your project space, and the desktop is closed. The instance can be removed now.',
  allSavedFoot: 'Your projects come back when the instance is made again.',

  // Copies
  pending: 'Waiting for its turn',
  listing: 'Looking through the files…',
  copying: 'Copying…',
  waiting: 'Paused, is tried again',
  complete: 'Complete',
  nothingToCopy: 'Nothing to copy',

  // Problems
  began: (ago: string) => `Began ${ago}.`,
  goesOn: 'Continues automatically when this is solved.',
  tryingNow: 'Trying again now.',
  nextAttempt: (duration: string) => `Next attempt in ${duration}.`,
  saveFailed: (message: string) => `Saving failed and is tried again: ${message}`,
  problem: (message: string, _code: string) => message.replace(/ ?\(scipion:\w+\)/g, ''),
  warning: (message: string, _code: string, _when: string) => message.replace(/ ?\(scipion:\w+\)/g, ''),
  fileProblem: (message: string, _code: string) => message,

  // Saving
  saveUnknown: 'Whether your work is saved is not known at the moment',
  savingNow: (progress: string) => `Saving…${progress}`,
  saveFailedState: 'The last save failed',
  lastSaved: (ago: string) => `last saved ${ago}`,
  unsaved: (ago: string) => `Unsaved changes · saved ${ago}`,
  notSavedYet: 'Not saved yet',
  nothingToSave: 'Nothing to save yet',
  allSaved: (ago: string) => `All saved · ${ago}`,
  saved: (ago: string) => `Saved ${ago}`,
  savedUnknown: (ago: string) => `Saved ${ago} · not known whether anything changed since`,
  saveRefused: 'The projects could not be saved now.',
  unreachable: 'The instance cannot be reached, so nothing was done. Try again in a moment.',
  answer: (message: string, code: string) => ANSWERS[code] ?? message.replace(/ ?\(scipion:\w+\)/g, ''),

  // The bar
  saveNow: 'Save now',
  saveNowTitle: 'Save the projects to their space now',
  status: 'Status',
  statusTitle: 'What is saved, room, tokens, and what needs attention',
  clipboard: 'Clipboard',
  settings: 'Settings',
  keyboardButton: 'Keyboard',
  keyboardTitle: 'Keyboard on the screen',
  move: 'Move',
  moveTitle: 'Move over the desktop with a finger',
  fullScreen: 'Full screen',
  hide: 'Hide',
  hideTitle: 'Hide this bar',
  showBar: 'Show the bar',
  showBarState: (state: string) => `Show the bar. ${state}`,
  logOut: 'Log out',
  logOutTitle: 'Log out; the desktop keeps running',
  dismiss: 'Dismiss',
  close: 'Close',
  leaveHint: 'Ctrl+Alt+Shift leaves the desktop',
  keyboardLabel: 'The desktop takes what you type here. Press Ctrl, Alt and Shift together to leave it.',

  // Clipboard
  clipboardLabel: 'Text shared with the desktop',
  clipboardHint:
    'What you copy in the desktop appears here. What you type or paste here can be pasted in the desktop.',
  clipboardNotWritable: 'Your browser does not let this page write its clipboard: copy the text from here.',
  clipboardTooLong: (size: string, limit: string) =>
    `This text has ${size}; the desktop takes at most ${limit}. Nothing was sent: use a file for more.`,
  clipboardSend: 'Send to the desktop',
  clipboardIn: 'Take over what I copy on this computer',
  clipboardOut: 'Give this computer what I copy in the desktop',
  clipboardLimit: (limit: string) => `At most ${limit} each way; use a file for more.`,

  // Status
  statusSave: 'Saving',
  nextSave: (duration: string) => `Next autosave in ${duration}.`,
  space: (free: string, total: string) => `${free} free of ${total}`,
  room: 'Room on the volumes',
  tokens: 'Tokens of Onedata',
  tokenEnds: (when: string, left: string) => `ends on ${when}, in ${left}`,
  tokenEnded: (when: string) => `ended on ${when}`,
  tokenNoEnd: 'no end',
  viewers: (count: number) => (count === 1 ? 'Open in this window only.' : `Open in ${count} windows.`),
  viewersTitle: 'Who is looking',
  watchers: (count: number) =>
    count === 1 ? 'One more is looking by a link.' : `${count} more are looking by a link.`,
  othersLook: (windows: number, watchers: number) =>
    [
      ...(windows > 0 ? [`${englishPlural('other window')(windows)}`] : []),
      ...(watchers > 0 ? [`${watchers} looking by a link`] : []),
    ].join(' · '),
  advice: 'Advice',
  refresh: 'Refresh the raw data',
  refreshHint: 'Copies what is new in the source space. Nothing in your projects is touched.',
  refreshing: 'New raw data is being copied. It continues without this page.',
  refreshed: 'The raw data is up to date.',
  fileProblems: (count: number) => `${file(count)} left out`,
  fileProblemsMore: (count: number) => `… and ${file(count)} more. “sync status” lists them.`,
  confirmMissing: (count: number) => `Open without ${count === 1 ? 'this file' : `these ${count} files`}`,
  confirmDeletions: (count: number) =>
    `Remove ${count === 1 ? 'this file' : `these ${count} files`} in the space, too`,
  confirmUnsaved: (count: number) =>
    `Let the removal lose ${count === 1 ? 'this file' : `these ${count} files`}`,
  confirmUnsavedAgain: (count: number) =>
    `The next removal of this instance deletes ${count === 1 ? 'this file' : `these ${count} files`} for good. Earlier saves of them stay in the space. Is that meant?`,
  confirmed: 'Confirmed. It is done with the next attempt.',

  // Jobs
  jobs: 'Jobs',
  jobsState: (running: number, waiting: number) =>
    running + waiting === 0
      ? 'No job runs or waits.'
      : `${job(running)} ${running === 1 ? 'runs' : 'run'}, ${waiting.toLocaleString('en-GB')} ${waiting === 1 ? 'waits' : 'wait'}.`,
  jobsUnknown: 'What the jobs do is not known at the moment. They run on.',
  jobsHint: 'Jobs run on when this page is closed.',
  jobsNone: 'There are none. A protocol runs as a job with “Use a queue: Yes” in its form.',
  jobsClosed: 'No new job is taken: the instance is being closed.',
  jobsMore: (count: number) => `… and ${count} more.`,
  jobAsked: (cpus: number, memory: string) => `${englishPlural('CPU')(cpus)}, ${memory}`,
  jobWaits: (duration: string) => `Waits for ${duration}.`,
  jobRuns: (duration: string, node: string) => `Runs for ${duration}${node === '' ? '' : ` on ${node}`}.`,
  jobEnded: (ago: string) => `Ended ${ago}.`,
  jobUsed: (cpuTime: string, memory: string) =>
    `It took ${cpuTime} of CPU, and ${memory} in its largest process.`,
  jobWhy: (_why: JobWhy, _detail: string, reason: string) => reason,
  jobCancel: 'Cancel',
  jobCancelOf: (name: string) => `Cancel the job ${name}`,
  jobCancelSure: (name: string) => `Cancel the job ${name}? What it has written stays.`,
  jobCancelYes: 'Cancel the job',
  jobCancelNo: 'Let it run',
  jobCancelling: 'It is being cancelled.',
  jobLog: 'Log',
  jobLogOf: (name: string) => `Log of the job ${name}: its last lines`,
  jobLogEnd: (path: string) => `The end of ${path}`,
  jobLogNone: 'Nothing is in it yet.',

  // Files
  filesTitle: 'Files',
  filesWhere: 'Folder',
  filesHint: 'Click a file to download it. Drop files or folders on this page to upload them to this folder.',
  filesEmpty: 'This folder is empty. Drop files or folders on this page to upload them here.',
  filesCut: (count: number) =>
    `Only the first ${file(count)} or folders are shown; see the rest in the desktop.`,
  filesFree: (free: string) => `${free} free on the volume.`,
  filesUpload: 'Upload files to this folder',
  filesReload: 'Look again',
  filesOutside: 'a link to something outside your projects, such as raw data',
  filesOther: 'not a file',
  unreachableFile: 'The instance cannot be reached.',
  savesTitle: 'Older versions',
  savesPath: 'File or folder to bring back; empty: all projects',
  savesHint: 'A copy is put into a new folder; nothing that is there now is changed.',
  savesNone: 'Nothing was saved yet.',
  savesBring: 'Bring back',
  savesBringOf: (when: string) => `Bring back a copy as it was saved on ${when}`,
  savesChanges: (count: number | null) => (count === null ? '' : `${englishPlural('change')(count)}`),
  restoreRuns: (to: string) => `The copy is being made in ${to}. It continues without this page.`,
  restoreDone: (to: string, files: number, size: string) => `${file(files)}, ${size}, are in ${to}.`,
  restoreSkipped: (count: number) => `${file(count)} of it are not in the space any more.`,
  sendingTitle: 'Uploads',
  sendingDone: (path: string) => `Uploaded as ${path}.`,
  sendingRetry: 'It continues automatically.',
  sendingResumed: (size: string) => `continued after ${size}`,
  sendingResume: 'Continue',
  sendingRemove: (path: string) => `Remove ${path} from this list`,

  // Settings
  languageLabel: 'Language',
  quality: 'Picture',
  qualityAuto: 'Follows the connection',
  qualityHigh: 'Sharp',
  qualityLow: 'Fast, for slow connections',
  viewOnly: 'Only look: keys and mouse do nothing',
  scale: 'Size of the desktop',
  scaleFit: 'As large as this window',
  scaleFactor: (factor: string) => `${factor} times this window, smaller and sharper`,
  sessionsTitle: 'Logged in',
  sessionThis: 'This browser',
  sessionSeen: (browser: string, ago: string) => `${browser}, used ${ago}`,
  sessionEnds: (when: string) => `Its login ends on ${when} at the latest.`,
  unknownBrowser: 'An unknown browser',
  endOthers: 'Log out everywhere else',
  endedOthers: 'Every other browser is logged out.',
  connection: 'Connection',
  roundTrip: (milliseconds: string) => `${milliseconds} ms to the instance and back`,

  loginEnds: (when: string) =>
    `Your login ends at ${when}. The desktop keeps running, and your work is saved as usual; log in again then.`,
  loginEndsIdle: (when: string) =>
    `This page has not been used for a long time. Your login ends at ${when} unless you press a key or click here.`,
  roundTripShort: (milliseconds: string) => `${milliseconds} ms`,

  // Links to look at the desktop
  share: 'Share',
  shareTitle: 'Show the desktop to others',
  sharesHint:
    'Whoever has the link sees the desktop. Keys, mouse, clipboard, files and this bar stay with you.',
  shareLife: 'The link works for',
  shareHour: '1 hour',
  shareDay: '8 hours',
  shareForever: 'until it is ended here',
  shareMake: 'Make a link',
  shareLink: 'The new link',
  shareCopied: 'The link is in your clipboard. It is not shown again.',
  shareCopy: 'Copy the link now: it is not shown again.',
  shareMade: (when: string, windows: number) =>
    `Link of ${when}, ${windows === 0 ? 'not in use' : `open in ${englishPlural('window')(windows)}`}`,
  shareEnds: (when: string) => `It ends on ${when}.`,
  shareNoEnd: 'It works until it is ended here.',
  shareEnd: 'End now',
  shareEndOf: (when: string) => `End now: link of ${when}`,
  shareEnded: 'The link has ended.',
  watching: 'You are looking; keys and mouse do nothing.',
  linkEndsIn: (duration: string) => `The link ends in ${duration}.`,
  linkEnded: 'This link has ended',
  linkEndedText: 'It shows nothing any more. Ask the person who gave it to you for another one.',
  watchClosedText: 'The desktop does not answer, or too many people are looking. This page keeps trying.',
  networkDownWatch: 'The instance cannot be reached from here. This page keeps trying.',

  // Connection
  lost: 'Connection lost, reconnecting…',
  lostText: 'Your desktop keeps running, with everything that is open in it.',
  desktopDown: 'The desktop does not answer',
  desktopDownText:
    'It is started again by itself and opens here. Files that were written in it are still there.',
  networkDown: 'This instance cannot be reached from here. Your desktop keeps running; check your network.',
  nextTry: (duration: string) => `Next attempt in ${duration}.`,
  trying: 'Trying…',
  tryNow: 'Try now',

  // Login
  login: 'Log in',
  password: 'Password of this desktop',
  passwordHint: 'It was set when this instance was created; whoever created it can look it up.',
  reveal: 'Show',
  conceal: 'Hide',
  capsLock: 'Caps Lock is on.',
  loginWait: 'You can try again in',
  openDesktop: 'Open the desktop',
  wrongPassword: (triesLeft: number) =>
    `That is not the password. You have ${triesLeft === 1 ? 'one more try' : `${triesLeft} more tries`} before a short wait.`,
  manyWrongPasswords:
    'Many wrong passwords were sent to this page, so each try has to wait a few seconds. The right password opens the desktop after that.',
  passwordTooLong: (kibibytes: number) =>
    `That is too long for a password: more than ${kibibytes} KiB were sent.`,
  signInAt: (host: string) => `Sign in at ${host}`,
  signOutAt: (host: string) => `Sign out of ${host}, too`,
  orPassword: 'Or',
  passwordOff: 'No password opens this desktop. Sign in instead.',
  signInFailed: (reason: SignInReason, host: string, detail: string) => SIGN_IN[reason](host, detail),
  signInBusy: 'Too many people sign in at the moment. Sign in again.',
  signedIn: 'You are signed in',
  signedInText: 'Your desktop opens in a moment.',
  openingByCode: 'Your desktop opens in a moment.',
  openingFailed: 'The instance cannot be reached. Open the desktop from the console again.',
  loggedOut: 'You are logged out. The desktop keeps running, and your work is saved as usual.',

  // Messages of the gateway
  goToDesktop: 'Go to the desktop',
  refused: 'Refused',
  refusedText: (origin: string) =>
    `This was sent from another address than ${origin}. Open that address and try again.`,
  notHere: 'Not here',
  notHereText: 'There is no such page in this instance.',
  failed: 'That did not work',
  failedHere:
    'The gateway made a mistake. Load the page again; if it happens again, tell the people who run this instance.',
  notUnderstood: 'The request was not understood. Go back and load the page again.',
  tooManyStrangers: 'Too many strangers ask at the moment. Load the page again.',
};

export type Texts = typeof en;
