//! CA and subscriber keys: the Signer port and OpenSSL software keys in encrypted PKCS#8.
