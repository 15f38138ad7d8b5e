/** What the state keeps of a volume beside its tables; docs/formats.md has those that other versions read. All values are texts. */
export type MetaKey =
  // The last save that volume and space have in common.
  | 'generation'
  | 'save-id'
  | 'saved-at'
  /** Identity of the space whose files the volume has. */
  | 'space'
  /** Names of the manifest segments whose lines the state knows; absent: not all of them, so the next save writes it whole. */
  | 'manifest-segments'
  /** The save that is being decided, until it is known what became of it. */
  | 'deciding'
  /** File of the history of the save that is under way. */
  | 'history-file'
  /** Sentences for people that nobody was told yet. */
  | 'untold'
  /** A save that could not be completed may have put away what is in no other place of the space. */
  | 'given-up'
  /** What the saves before had to leave out, and since when. */
  | 'left-out'
  /** Large uploads that broke off, with their parts. */
  | 'unfinished-uploads'
  /** Ids of the sessions that held the lease from this volume, newest last. */
  | 'sessions'
  /** Highest fencing token that this volume has had. */
  | 'fence'
  /** Since when the desktop may write what no save has yet, in ms. */
  | 'open-since'
  /** Generation that the mark beside the state tells of. */
  | 'marked'
  /** A restore is under way. */
  | 'restoring'
  /** A database whose files are being exchanged. */
  | 'settling'
  /** The selection that the source volume was copied by. */
  | 'selection'
  /** The check of the space that is under way, or the last one. */
  | 'verification'
  // When these last happened, in ms.
  | 'last-start'
  | 'trash-tidied'
  | 'segments-tidied';
