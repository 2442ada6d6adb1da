import { describeUnverified } from './bundle-unverified.ts'

describeUnverified('6.11')
