import { PolicyPack } from "@pulumi/policy";
import { policies } from "./policies";

new PolicyPack("tls-bootstrap", { policies, enforcementLevel: "mandatory" });
