/** Hash of the text of test/host-metal/headers. */
export function headersHash(): string
