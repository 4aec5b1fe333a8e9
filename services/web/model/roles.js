// Roles, each of which may do what those before it may.

const ROLES = ["viewer", "operator", "approver", "admin"];

/** Whether a role may do what `needed` may. One that is not known here may do nothing. */
export const reaches = (role, needed) => ROLES.indexOf(role) >= ROLES.indexOf(needed);

/** Why a button is off for a person of a role; empty when it is not. */
export const lacks = (role, needed) => (reaches(role, needed) ? "" : `This needs the role ${needed}; you are ${role}.`);
