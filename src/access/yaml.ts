// The package is CommonJS, whose names the bundled program finds only through a static import.
export { LineCounter, parseDocument } from 'yaml'
