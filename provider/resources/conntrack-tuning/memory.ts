/** What the table of connections takes, and how its two sizes go together. */
import { type Memory, mebibytes } from "../../kernel/sysctl/sysctl";

/** Bytes of an entry: struct nf_conn in its slab (256 on a Debian 6.1) with its usual extensions, about. */
const ENTRY = 288;
/** Bytes of a bucket: a pointer. */
const BUCKET = 8;
/** The kernel rounds buckets up to whole pages: 512 pointers of 8 bytes are the smallest page there is. */
const PAGE = 512;
/** Pointers in the other pages there are: on 32 bits, and of 16 and 64 KiB. */
const LARGER_PAGES = [1024, 2048, 8192];

/**
 * An entry is hashed twice, once for each direction: a full table has chains of 2 x max / buckets on average. 16 was
 * the kernel's own choice until 5.15; since then it drops new connections whose chain has grown too long (at 8 to 32
 * entries, later at 50 to 80: MIN_CHAINLEN in nf_conntrack_core.c), and a flood makes some much longer than the average.
 */
const CHAIN = 16;

export interface Sizes {
  readonly max?: number | undefined;
  readonly buckets?: number | undefined;
}

const roundUp = (n: number, unit: number): number => Math.ceil(n / unit) * unit;

/** What the kernel makes of it where pages are smallest. */
export const wholePages = (buckets: number): number => roundUp(buckets, PAGE);

/** What kernels with larger pages make of it. */
export const inLargerPages = (buckets: number): number[] =>
  [...new Set(LARGER_PAGES.map((page) => roundUp(buckets, page)))].filter((n) => n !== buckets);

/** As many entries as buckets, which is the kernel's own choice: chains of 2. */
export function sizesFor(budget: number): Required<Sizes> {
  const n = Math.floor(budget / (ENTRY + BUCKET) / PAGE) * PAGE;
  return { max: n, buckets: n };
}

export function memoryOf({ max = 0, buckets = 0 }: Sizes): Memory {
  const parts = [
    ...(max > 0 ? [`${max.toString()} entries of ${ENTRY.toString()} bytes`] : []),
    ...(buckets > 0 ? [`${buckets.toString()} buckets of ${BUCKET.toString()} bytes`] : []),
  ];
  return { bytes: max * ENTRY + buckets * BUCKET, of: parts.join(" and ") };
}

/** Why the sizes do not go together, and the arithmetic of it. */
export function sizesProblem(
  sizes: Sizes,
  budget: number | undefined,
): { at: "max" | "memoryBudget"; why: string; arithmetic: string } | undefined {
  const { max, buckets } = sizes;
  const { bytes, of } = memoryOf(sizes);
  if (budget !== undefined && bytes > budget)
    return {
      at: "memoryBudget",
      why: "the table would take more memory than memoryBudget allows",
      arithmetic: `${of} take ${mebibytes(bytes)}, and the budget is ${(budget / 2 ** 20).toFixed(1)} MiB`,
    };
  if (max !== undefined && buckets !== undefined && 2 * max > CHAIN * buckets)
    return {
      at: "max",
      why: `a full table would have chains of more than ${CHAIN.toString()} entries in each bucket, and the kernel drops what meets too long a chain: raise buckets, or lower max`,
      arithmetic: `each of ${max.toString()} entries is in 2 of ${buckets.toString()} buckets, which makes chains of ${Math.ceil((2 * max) / buckets).toString()}; at least ${wholePages((2 * max) / CHAIN).toString()} buckets are needed`,
    };
  return undefined;
}
