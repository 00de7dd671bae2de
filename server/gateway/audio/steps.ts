/** Of what a file is walked over by no step is shorter on average, or it was made to take time. */
const BYTES_PER_STEP = 16;
/** Of short files, whose heads are more than their sound. */
const STEPS_MIN = 1_024;

/** Counts the steps of reading one file, so that none takes longer than its bytes are worth. */
export class Steps {
  readonly max: number;
  taken = 0;

  constructor(bytes: number) {
    this.max = STEPS_MIN + Math.floor(bytes / BYTES_PER_STEP);
  }

  /** Counts a step as so many; false when there were too many, and what the file holds is not known then. */
  take(count = 1): boolean {
    this.taken += count;
    return this.taken <= this.max;
  }
}
