import type { OperationKind } from '../../../../automation/fleet/kinds.ts';
import { englishNumbers, englishPlural } from '../../../../sidecar/web/shared/plurals.ts';
import type {
  AllowanceKey,
  DriftView,
  InstanceState,
  RefusalCode,
  RuleReason,
  SiteView,
} from '../../../src/view-types.ts';

/** English. Functions take what belongs into the sentence, ready to be read. Czech has the same keys. */

export interface FieldText {
  readonly label: string;
  readonly description: string;
  readonly allowed: string;
}

const states: Record<InstanceState, string> = {
  working: 'Being worked on',
  killed: 'Interrupted',
  failed: 'Needs attention',
  'settings-wrong': 'Its settings are wrong',
  'not-made': 'Not made yet',
  running: 'Running',
  starting: 'Starting',
  paused: 'Paused',
  absent: 'Removed from the cluster',
  unknown: 'Not known at the moment',
};

const working: Record<OperationKind, string> = {
  create: 'Being created',
  change: 'Being changed',
  pause: 'Being saved and paused',
  resume: 'Being started again',
  restart: 'Being saved and restarted',
  save: 'Being saved',
  token: 'Takes a new token',
  remove: 'Being saved and removed',
};

const operations: Record<OperationKind, string> = {
  create: 'Creation',
  change: 'Change of settings',
  pause: 'Pause',
  resume: 'Start after a pause',
  restart: 'Restart',
  save: 'Save',
  token: 'New token',
  remove: 'Removal',
};

const refusals: Record<RefusalCode, string> = {
  'signed-out': 'You are signed out. Load the page again and sign in.',
  'not-from-here': 'This request did not come from this page. Load the page again.',
  'not-found': 'There is no such instance.',
  'not-understood': 'The console did not understand the request. Load the page again.',
  'too-large': 'That is too much for one request.',
  'too-many': 'Too much at once. Wait a moment, then try again.',
  'name-not-typed': 'The name that was typed is another one. Nothing was done.',
  'name-wrong':
    'A name has up to 63 of a-z, 0-9 and "-", not at its ends, and is not one of the cluster’s own.',
  'answers-wrong': 'Some answers cannot be used. Nothing was begun.',
  expired: 'Its time has ended. Ask your operators to give it a later end; nothing of it is removed.',
  'over-limit': 'That is more than you may have. Nothing was begun.',
  'not-recorded': 'The console cannot write its log, so nothing was done. Tell your operators.',
  busy: 'Something else runs on this instance. Nothing was begun.',
  exists: 'There is an instance of this name already. Choose another one.',
  unknown: 'There is nothing of that kind any more. Load the page again.',
  settings: 'The settings cannot be used. Nothing was changed.',
  interrupted: 'Something that was interrupted must be continued or given up first.',
  stopped: 'It was stopped in the middle. Nothing that was saved is lost, and it can be continued.',
  failed: 'It failed. Nothing that was saved is lost.',
};

export const en = {
  ...englishNumbers,
  language: 'English',
  title: 'Instances',
  noScript: 'This page needs JavaScript. Allow it for this address.',
  signOut: 'Sign out',
  signIn: 'Sign in',
  myInstances: 'My instances',
  allInstances: 'All instances',
  newInstance: 'New instance',
  back: 'Back to the list',
  skip: 'Skip to the content',
  cancel: 'Cancel',
  details: 'Details',

  // Messages
  notHere: 'Nothing is here',
  notHereText: 'The address leads nowhere.',
  noEntry: 'You are not signed in',
  noEntryProxy:
    'The proxy in front of this console did not say who you are, or you may not have instances. Ask your operators.',
  signedOut: 'You are signed out',
  signedOutText: 'Your instances keep running.',
  userName: 'User name',
  userPassword: 'Password',
  wrongPassword: 'User name or password is wrong.',
  signOutEverywhere: 'You are signed out of the console. Sign out of the sign-in service, too?',
  staySignedIn: 'Stay signed in there',
  toConsole: 'To my instances',
  signInFailed: 'You could not be signed in',
  signInErrors: {
    unreachable: 'The sign-in service does not answer. Try again in a moment.',
    expired: 'This sign-in was begun too long ago, in another browser, or was used already. Begin again.',
    refused: 'The sign-in service refused. Begin again; if it stays so, ask your operators.',
    'no-user':
      'The sign-in service does not say who you are in a way that can be used here. Ask your operators.',
    'no-group': 'You are signed in, but none of your groups may have instances here. Ask your operators.',
  } as Record<'unreachable' | 'expired' | 'refused' | 'no-user' | 'no-group', string>,

  // The list
  none: 'You have no instance yet',
  noneText: 'An instance is a Scipion desktop beside your data. It takes two tokens of Onedata and a minute.',
  noneAtAll: 'There is no instance yet.',
  loading: 'Loading…',
  listOld: (ago: string) => `What is shown is of ${ago}: the list cannot be read at the moment.`,
  connectionLost: 'The connection to the console is lost; this page keeps trying.',
  find: 'Find by name or owner',
  found: (count: number) => englishPlural('instance')(count),
  columnName: 'Name',
  columnState: 'State',
  columnOwner: 'Owner',
  columnVersion: 'Scipion',
  columnAge: 'Age',
  columnIdle: 'Not used for',
  columnUsed: 'Used on its volumes',
  columnTime: 'Time',
  columnUser: 'User',
  columnAction: 'Action',
  columnOutcome: 'Outcome',
  columnDetail: 'Detail',
  choose: (name: string) => `Choose ${name}`,
  chosen: (count: number) => `${englishPlural('instance')(count)} chosen in the table above.`,
  chooseShown: 'Choose all that are shown',
  chooseNone: 'Choose none',
  onlyWaiting: 'Only those that wait for room or quota',
  waitForRoom: (count: number) => `${count} wait for room or quota`,
  shown: (count: number) => `the first ${count} are shown`,
  problemCount: englishPlural('problem'),
  pausesAt: (when: string) => `is paused ${when}`,
  site: 'Site',
  drift: 'Cluster',
  compare: 'Compare',
  comparing: 'Being compared…',
  driftStates: {
    'as it should be': 'as it should be',
    drifted: 'changed by somebody else',
    'left behind': 'not yet as program and settings say',
    'not compared': 'could not be compared',
  } as Record<DriftView['state'], string>,
  upgradeTitle: 'Another Scipion release',
  upgrade: 'Upgrade',
  upgradeWhat:
    'Each is saved, changed and restarted; what runs in its desktop ends. One goes first, then waves; after the first that fails nothing else begins. A paused one takes the release when it is started again.',
  upgradeAsk: (count: number, version: string) =>
    `${englishPlural('instance')(count)} to Scipion ${version}?`,
  wave: 'Instances at a time, after the first',
  upgradeRuns: (version: string, by: string) => `To ${version}, begun by ${by}`,
  upgradeOver: (version: string, by: string) => `To ${version}, begun by ${by}: ended`,
  upgradeInterrupted: (version: string, by: string) => `To ${version}, begun by ${by}: interrupted`,
  upgradeInterruptedWhat:
    'The console ended in the middle of it. What was saved is not touched. Continue does what was under way again, then the rest; or leave everything as it is.',
  upgradeContinue: 'Continue the upgrade',
  upgradeLeave: 'Leave the rest as it is',
  upgradeSum: (done: number, failed: number, left: number) =>
    `Done: ${done}. Failed: ${failed}. Not begun: ${left}.`,
  upgradeStates: {
    left: 'not begun',
    saves: 'is saved',
    changes: 'is changed',
    restarts: 'is restarted',
    done: 'done',
    failed: 'failed',
  } as Record<NonNullable<SiteView['upgrade']>['instances'][number]['state'], string>,
  stop: 'Begin no more',
  stopping: 'What is under way ends; nothing else begins.',
  audit: 'Who did what',
  auditFind: 'Find by user, instance or action',
  auditShow: 'Show the newest',
  auditNone: 'Nothing was found.',
  announce: 'Announce',
  announceWhat: 'Stands above every page of all users; empty: nothing does.',
  states,
  working,
  operations,
  refusals,

  // Facts
  state: 'State',
  owner: 'Owner',
  version: 'Scipion',
  changed: 'Last changed',
  lastSave: 'Last save',
  neverSaved: 'nothing saved yet',
  allSaved: 'everything saved',
  unsaved: 'unsaved work',
  unsavedUnknown: 'not known whether anything changed since',
  saveFailed: 'The last save failed',
  tokens: 'Tokens',
  tokenEnds: (side: string, when: string) => `${side}: ends ${when}`,
  tokenEndless: (side: string) => `${side}: does not end`,
  tokenSoon: (side: string, when: string) => `${side}: ends ${when}. Set a new one before.`,
  data: 'Data',
  room: 'Room on the volumes',
  roomOf: (side: string, used: string, total: string) => `${side}: ${used} of ${total} used`,
  sides: { source: 'raw data', project: 'projects' } as Record<'source' | 'project', string>,
  copying: (side: string, done: string) => `Copying ${side}: ${done}`,
  of: (part: string, whole: string) => `${part} of ${whole}`,

  cpuHours: 'CPU hours',
  cpuNotSeen: (hours: string, notSeen: string) => `${hours}, and ${notSeen} h in which nobody looked`,
  cpuYours: (hours: string, since: string) =>
    `CPU hours of your instances since ${since} (CPUs that are always there, while they run): ${hours}.`,
  cpuBy: 'CPU hours by user',
  cpuSince: (since: string) =>
    `Since ${since}: CPUs that are always there, times the hours that instances were seen to run, also of those that are gone. What ran while no console looked is not guessed.`,
  cpuNotSeenColumn: 'Hours in which nobody looked',
  nobody: 'nobody',
  takes: 'Takes',
  takesWork: (cpus: string, memory: string) => `CPUs ${cpus}, memory ${memory}`,
  takesVolumes: (size: string) => `volumes ${size}`,
  leftOut: (count: number) =>
    `${englishPlural('path')(count)} left out of copies or saves. The page of the desktop names them.`,
  inUse: 'In use',
  useUnknown: 'not known at the moment',
  useNow: (windows: number, protocols: number) =>
    `${englishPlural('window')(windows)}, ${englishPlural('protocol')(protocols)} running`,
  notUsedFor: (time: string) => `not used for ${time}`,
  ends: 'Ends',
  pausesSoon: {
    idle: (when: string) =>
      `It is not in use: it is saved and paused ${when}. Opening the desktop keeps it running; nothing is removed.`,
    expiry: (when: string) =>
      `Its time ends: it is saved and paused ${when}. Nothing is removed. Ask your operators if you need it longer.`,
  } as Record<RuleReason, (when: string) => string>,
  pausedFor: {
    idle: 'It was saved and paused because it was not in use. Start it again when you need it.',
    expiry:
      'It was saved and paused because its time has ended. Nothing was removed; your operators can give it a later end.',
  } as Record<RuleReason, string>,
  setEnd: 'Set its end',
  lastDay: 'Last day',
  endWhat: 'After this day it is saved and paused, and its user cannot start it again. Nothing is removed.',
  endNever: 'Without a day it does not end.',

  // Actions
  open: 'Open',
  openHint: 'Opens the desktop in a new tab, signed in.',
  showPassword: 'Show the password',
  password: 'Password of the desktop',
  copy: 'Copy',
  copied: 'Copied',
  noPassword: 'No password is known here: it was set by hand, or users sign in elsewhere.',
  save: 'Save now',
  pause: 'Pause',
  resume: 'Start again',
  restart: 'Restart',
  change: 'Change settings',
  newToken: 'New token',
  remove: 'Remove',
  continue: 'Continue',
  giveUp: 'Leave it as it is',
  answersAgain: 'Answer again',
  pauseWhat:
    'Your work is saved, then the desktop stops. What runs in it ends. Both volumes stay, so that starting again is quick.',
  restartWhat:
    'Your work is saved, then the desktop starts again with changed settings. What runs in it ends.',
  removeWhat: [
    'Your work is saved to the project space. If that fails, nothing is removed.',
    'Then the desktop, its two volumes and its namespace go. What runs in it ends.',
    'Both spaces stay: a new instance with the same spaces brings your work back.',
  ],
  unsavedNow: 'There is unsaved work: it is saved first.',
  lastSavedNow: (when: string) => `Last saved ${when}.`,
  keepSettings: 'Keep settings and tokens, so that it can be started again',
  loseWork: 'Remove it even if saving fails. WHAT IS NOT SAVED IS LOST.',
  typeName: (name: string) => `Type ${name} to remove it`,
  typeNameToLose: (name: string) => `Type ${name} once more to lose what cannot be saved`,
  giveUpWhat: 'Nothing is undone or continued. The instance stays as it was left.',

  // An operation
  interruptedWhat: (operation: string, since: string) => `${operation}, begun ${since}, was interrupted.`,
  failedWhat: (operation: string, since: string) => `${operation}, begun ${since}, did not succeed.`,
  savedNotTouched: 'What was saved is not touched by this.',
  stages: {
    waiting: 'Nothing was begun yet.',
    settings: 'Its settings were being written; nothing in the cluster was touched.',
    engine: 'Objects in the cluster were being changed.',
    cluster: 'The desktop’s pod was being spoken to.',
  } as Record<'waiting' | 'settings' | 'engine' | 'cluster', string>,
  underWay: (what: string) => `In the middle of: ${what}`,
  progress: 'What happens',
  elsewhere: 'It was begun elsewhere, so its steps are not shown here.',
  waitingTurn: 'Waits for its turn',
  steps: { create: 'Create', update: 'Change', delete: 'Remove', same: 'Look at', read: 'Read' } as Record<
    string,
    string
  >,
  stepStates: { begun: 'under way', done: 'done', failed: 'failed' } as Record<string, string>,
  readyToOpen: 'The desktop answers. Your data is copied meanwhile.',
  ended: 'Done',
  removed: 'It is removed. Your work is in the project space.',

  // The form
  name: 'Name of the instance',
  nameHint: 'It becomes part of the address: a-z, 0-9 and "-".',
  sourceToken: 'Token that reads the raw data',
  projectToken: 'Token that reads and writes your work',
  tokenHint:
    'An access token from the web page of your Onedata zone. It is kept encrypted and never shown again.',
  sourceSpace: 'Space with the raw data',
  projectSpace: 'Space that keeps your work',
  checkingToken: 'Asking which spaces the token opens…',
  chooseSpace: 'Choose a space',
  atProviders: (hosts: string) => `at ${hosts}`,
  noProvider: 'at no provider',
  sameToken: 'This is the token of the raw data; your work needs a token of its own, which may write.',
  sameSpace: 'it is the space with the raw data',
  usedBy: (names: string) =>
    `The instance ${names} writes this space. Only one can at a time; the other one waits.`,
  usedByOwner: (name: string, owner: string) => `${name} (${owner})`,
  couldWrite:
    'This token could also write the raw data. Reading is enough: a token with read-only access is safer.',
  endsSoon: 'This token ends within two days. Make one that lasts longer.',
  provider: 'Provider of both spaces',
  providerFound: 'Found from the tokens',
  sizes: 'Size',
  allowed: (what: string) => `Allowed: ${what}.`,
  create: 'Create',
  /** Of what is limited, ready to be read: `CPUs 2 of 8`. */
  yours: (what: string) => `Yours so far: ${what}.`,
  withIt: (what: string) => `With this one: ${what}.`,
  would: (what: string) => `It would be: ${what}.`,
  allowances: {
    instances: (taken: string, allowed: string) => `instances ${taken} of ${allowed}`,
    cpus: (taken: string, allowed: string) => `CPUs ${taken} of ${allowed}`,
    memory: (taken: string, allowed: string) => `memory ${taken} of ${allowed}`,
    storage: (taken: string, allowed: string) => `volumes ${taken} of ${allowed}`,
  } as Record<AllowanceKey, (taken: string, allowed: string) => string>,
  nothingYet: 'Nothing is made before you press Create.',
  missing: 'Still missing',
  taken: 'This name is taken.',
  /** What a field is called and takes; in English the schema says it. */
  fields: {} as Readonly<Record<string, FieldText>>,
  tokenFaults: {} as Readonly<Record<string, string>>,
  problems: {} as Readonly<Record<string, string>>,
  advice: {} as Readonly<Record<string, string>>,

  // Changes
  whatItMeans: 'What it means',
  saveChanges: 'Change',
  nothingChanged: 'Nothing is different.',
  changes: {
    refused: 'cannot be changed while the instance exists',
    pauses: 'stops or starts the desktop, after a save',
    'at the next start': 'is used after a restart',
    grows: 'grows in place where the cluster can; smaller is refused',
    'in place': 'is used at once',
    later: 'is used the next time',
  } as Record<string, string>,
  restartAfter: 'Restart to use it; what runs in the desktop ends.',
};
export type Texts = typeof en;
