// Stands for the types of @xmldom/xmldom, which bring those of a browser with them and so change `fetch` and `crypto`
// in every file. Nobody here reads XML by it.
export declare const nothing: undefined
