export interface Mutation {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
  readonly test: string
  /** Why no test can notice. */
  readonly equivalent?: string
}
export const mutations: readonly Mutation[]
